"""The newest reading of each sensor, and what the one that follows it is judged by."""

from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from fleetplatform.batch import Rows
from fleetplatform.processing.quality import Bits, Quality, Tolerances, bit, judge_arrival

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Sensors = NDArray[np.int32]

_Column = TypeVar("_Column", Floats, Times)

NEVER_US = int(np.iinfo(np.int64).min)
GREATEST = 1e100
"""Of greater values the change could be more than a float holds; they count as this one."""


class Limits(Protocol):
    """Of all sensors, by index: interval_us, rate_max and flat_after_us, as the directory has them.

    interval_us: at least 1 · rate_max: infinite where it is not judged · flat_after_us: the
    greatest number where it is not judged.
    """

    @property
    def interval_us(self) -> Times: ...  # noqa: D102
    @property
    def rate_max(self) -> Floats: ...  # noqa: D102
    @property
    def flat_after_us(self) -> Times: ...  # noqa: D102


class _Readings(NamedTuple):
    """n readings in order of sensor and time; `sent` is the value before calibration."""

    sensor: Sensors
    measured_us: Times
    value: Floats
    sent: Floats

    def take(self, at: NDArray[np.intp]) -> "_Readings":
        """Those at some positions."""
        return _Readings(self.sensor[at], self.measured_us[at], self.value[at], self.sent[at])


class Continuity:
    """By sensor: when its newest reading was measured, its value, and since when it sends that.

    Made empty → `reserve` before readings of new sensors → `know` what is stored → `observe` batch
    after batch. 32 bytes a sensor. newest_us: NEVER_US before the first reading.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.newest_us = np.zeros(0, dtype=np.int64)
        self._value = np.zeros(0)
        self._sent = np.zeros(0)
        self._flat_since_us = np.zeros(0, dtype=np.int64)

    def reserve(self, sensors: int) -> None:
        """Make room for that many sensors."""
        missing = sensors - len(self.newest_us)
        if missing > 0:
            never, nothing = np.full(missing, NEVER_US), np.full(missing, np.nan)
            self.newest_us = np.concatenate([self.newest_us, never])
            self._value = np.concatenate([self._value, nothing])
            self._sent = np.concatenate([self._sent, nothing])
            self._flat_since_us = np.concatenate([self._flat_since_us, never])

    def know(
        self, sensor: Sensors, measured_us: Times, value: Floats, sent: Floats, flat_since_us: Times
    ) -> None:
        """The newest readings of n sensors, for which there is room."""
        self.newest_us[sensor] = measured_us
        self._value[sensor] = value
        self._sent[sensor] = sent
        self._flat_since_us[sensor] = flat_since_us

    def observe(self, rows: Rows, limits: Limits, tolerances: Tolerances) -> NDArray[np.bool_]:
        """Judge rows that are in order of sensor and time, each key once; which of them are late.

        Adds the bits to `rows.quality`. Those in order become the newest; late ones move nothing.
        """
        late = rows.measured_us < self.newest_us[rows.sensor]
        rows.quality |= judge_arrival(rows.measured_us, rows.received_us, late, tolerances)
        sent = np.where(np.isnan(rows.raw), rows.value, rows.raw)
        readings = _Readings(rows.sensor, rows.measured_us, rows.value, sent)
        if late.any():
            timely = np.flatnonzero(~late)
            readings = readings.take(timely)
            rows.quality[timely] |= self._follow(readings, limits, tolerances.gap_intervals)
        else:
            rows.quality |= self._follow(readings, limits, tolerances.gap_intervals)
        return late

    def _follow(self, readings: _Readings, limits: Limits, gap_intervals: int) -> Bits:
        """RATE, FLAT and GAP of readings in order; the last of each sensor becomes the newest."""
        sensor, measured_us, value, sent = readings
        if not len(sensor):
            return np.zeros(0, dtype=np.int16)
        heads = np.append(0, np.flatnonzero(np.diff(sensor)) + 1)
        tails = np.append(heads[1:], len(sensor)) - 1
        first = sensor[heads]
        before_us = _before(measured_us, heads, self.newest_us[first])
        before_us = np.where(before_us == NEVER_US, measured_us, before_us)
        elapsed_us, interval_us = measured_us - before_us, limits.interval_us[sensor]
        gap = elapsed_us > interval_us * gap_intervals
        begins = gap | (sent != _before(sent, heads, self._sent[first]))
        flat_since_us = _since(begins, measured_us, heads, self._flat_since_us[first])
        flat = measured_us - flat_since_us > limits.flat_after_us[sensor]
        change = np.abs(_bounded(value) - _bounded(_before(value, heads, self._value[first])))
        # The value of a reading that was never there is NaN, from which no change is too great.
        steep = change > limits.rate_max[sensor] * (np.maximum(elapsed_us, interval_us) / 1e6)
        self.know(first, measured_us[tails], value[tails], sent[tails], flat_since_us[tails])
        bits = bit(gap, Quality.GAP)
        bits |= bit(flat, Quality.FLAT)
        bits |= bit(steep, Quality.RATE)
        return bits


def _before(column: _Column, heads: NDArray[np.intp], stored: _Column) -> _Column:
    """Of each reading what the one before it has; of those at `heads` what is stored."""
    shifted = np.empty_like(column)
    shifted[1:] = column[:-1]
    shifted[heads] = stored
    return shifted


def _since(
    begins: NDArray[np.bool_], measured_us: Times, heads: NDArray[np.intp], stored_us: Times
) -> Times:
    """Since when each reading's run goes on; one that does not begin at a head has begun before."""
    since_us = measured_us.copy()
    since_us[heads] = np.where(begins[heads], measured_us[heads], stored_us)
    marked = begins.copy()
    marked[heads] = True
    return since_us[np.maximum.accumulate(np.where(marked, np.arange(len(marked)), 0))]


def _bounded(value: Floats) -> Floats:
    return np.clip(value, -GREATEST, GREATEST)
