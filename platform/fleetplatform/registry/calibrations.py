"""The calibrations of all sensors, in the order in which they hold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

NEVER_US = np.iinfo(np.int64).max
ALWAYS_US = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Calibrations:
    """Arrays of shape (K, sensors): from when each holds (NEVER_US: not there), and what it is.

    Never changed: `extended` makes another.
    """

    from_us: Times
    multiplier: Floats
    offset: Floats

    @classmethod
    def empty(cls) -> "Calibrations":
        """Of no sensor."""
        none = np.zeros((0, 0))
        return cls(none.astype(np.int64), none, none)

    def extended(
        self,
        sensors: int,
        sensor: NDArray[np.int32],
        from_us: Times,
        multiplier: Floats,
        offset: Floats,
    ) -> "Calibrations":
        """With n calibrations more, for `sensors` sensors in all.

        Of two that hold from the same time, the later given counts.
        """
        grown = self._grown(len(self.from_us), sensors)
        if not len(sensor):
            return grown
        touched = np.unique(sensor)
        level, column = np.nonzero(grown.from_us[:, touched] != NEVER_US)
        old = (level, touched[column])
        sensor = np.concatenate([touched[column], sensor])
        from_us = np.concatenate([grown.from_us[old], from_us])
        multiplier = np.concatenate([grown.multiplier[old], multiplier])
        offset = np.concatenate([grown.offset[old], offset])
        order = np.lexsort((from_us, sensor))
        sensor = sensor[order]
        first = np.searchsorted(sensor, sensor)
        level = np.arange(len(sensor)) - first
        grown = grown._grown(max(len(grown.from_us), int(level.max()) + 1), sensors)
        grown.from_us[level, sensor] = from_us[order]
        grown.multiplier[level, sensor] = multiplier[order]
        grown.offset[level, sensor] = offset[order]
        return grown

    def _grown(self, levels: int, sensors: int) -> "Calibrations":
        """A copy with room for so many levels and sensors."""
        known_levels, known = self.from_us.shape
        from_us = np.full((levels, sensors), NEVER_US, dtype=np.int64)
        multiplier = np.ones((levels, sensors))
        offset = np.zeros((levels, sensors))
        from_us[:known_levels, :known] = self.from_us
        multiplier[:known_levels, :known] = self.multiplier
        offset[:known_levels, :known] = self.offset
        return Calibrations(from_us, multiplier, offset)
