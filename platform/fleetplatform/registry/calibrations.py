"""The calibrations of all sensors as arrays, each sensor's as a chain from the newest back."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Positions = NDArray[np.int32]

NEVER_US = np.iinfo(np.int64).max
ALWAYS_US = np.iinfo(np.int64).min
HIGHER_MAX = 4
"""Factors of raw² and above; the highest degree is 5."""


@dataclass(frozen=True, slots=True)
class Entered:
    """n calibrations in the order in which they were entered; columns as in `Calibrations`."""

    sensor: NDArray[np.int32]
    from_us: Times
    due_us: Times
    multiplier: Floats
    offset: Floats
    higher: Floats


@dataclass(frozen=True, slots=True)
class Calibrations:
    """Never changed: `extended` makes another. Position 0 holds always and changes nothing.

    newest: by sensor, the position of the one that holds from the latest time, 0 without any ·
    previous: by position, the next older one of the sensor, 0 after the oldest · sensor: whose ·
    from_us, due_us: from when it holds, and when the next is due (NEVER_US: not at all) ·
    multiplier, offset, higher: calibrated = offset + multiplier·raw + higher[0]·raw² + … ·
    curved: whether any of `higher` is not zero; is_curved, is_dated: whether any is, is ever due.
    """

    newest: Positions
    previous: Positions
    sensor: NDArray[np.int32]
    from_us: Times
    due_us: Times
    multiplier: Floats
    offset: Floats
    higher: Floats
    curved: NDArray[np.bool_]
    is_curved: bool = False
    is_dated: bool = False

    @classmethod
    def empty(cls) -> "Calibrations":
        """Of no sensor."""
        return cls(
            newest=np.zeros(0, np.int32),
            previous=np.zeros(1, np.int32),
            sensor=np.full(1, -1, np.int32),
            from_us=np.full(1, ALWAYS_US),
            due_us=np.full(1, NEVER_US),
            multiplier=np.ones(1),
            offset=np.zeros(1),
            higher=np.zeros((1, HIGHER_MAX)),
            curved=np.zeros(1, np.bool_),
        )

    def extended(self, sensors: int, new: Entered) -> "Calibrations":
        """With some calibrations more, for `sensors` sensors in all.

        Of two that hold from the same time, the later entered counts.
        """
        newest = np.zeros(sensors, np.int32)
        newest[: len(self.newest)] = self.newest
        if not len(new.sensor):
            return replace(self, newest=newest)
        sensor = np.concatenate([self.sensor, new.sensor])
        from_us = np.concatenate([self.from_us, new.from_us])
        previous = np.concatenate([self.previous, np.zeros(len(new.sensor), np.int32)])
        touched = np.zeros(sensors + 1, np.bool_)
        touched[new.sensor] = True
        # Position 0 is of sensor -1, the last of `touched`, which is never set.
        chained = np.flatnonzero(touched[sensor])
        order = chained[np.lexsort((from_us[chained], sensor[chained]))].astype(np.int32)
        same = np.diff(sensor[order]) == 0
        previous[order] = np.concatenate([[0], np.where(same, order[:-1], 0)])
        last = order[np.append(~same, True)]
        newest[sensor[last]] = last
        curved = new.higher.any(axis=1)
        return Calibrations(
            newest=newest,
            previous=previous,
            sensor=sensor,
            from_us=from_us,
            due_us=np.concatenate([self.due_us, new.due_us]),
            multiplier=np.concatenate([self.multiplier, new.multiplier]),
            offset=np.concatenate([self.offset, new.offset]),
            higher=np.concatenate([self.higher, new.higher]),
            curved=np.concatenate([self.curved, curved]),
            is_curved=self.is_curved or bool(curved.any()),
            is_dated=self.is_dated or bool((new.due_us != NEVER_US).any()),
        )
