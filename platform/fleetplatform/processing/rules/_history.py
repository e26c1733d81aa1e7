"""The last readings of each sensor, for rules that look back over a span of time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleetplatform.processing.rules import KEPT_MAX, Floats, Positions, Sensors, Times
from fleetplatform.processing.segments import bounds, first_after

_NARROWEST = 4


class Kept(NamedTuple):
    """What is remembered of some sensors: rows of times and values, of which `used` count."""

    sensor: Sensors
    used: Positions
    t_us: Times
    value: Floats


class Joined(NamedTuple):
    """Readings behind what was remembered of their sensors.

    t_us, value: m, sorted by sensor and time · start: of each of n readings, where its sensor
    begins · at: where it stands itself · low: where its window begins · cut: whether the window
    held more than KEPT_MAX · kept: to be remembered.
    """

    t_us: Times
    value: Floats
    start: Positions
    at: Positions
    low: Positions
    cut: NDArray[np.bool_]
    kept: Kept


class History:
    """At most KEPT_MAX readings a sensor (8 KiB), as many columns as the fullest sensor needs.

    A sensor has a row from its first reading on; row 0 is of those that have none.
    """

    def __init__(self, window_us: int) -> None:
        self._window_us = window_us
        self._row = np.zeros(0, dtype=np.int32)
        self._rows = 1
        self._count = np.zeros(1, dtype=np.intp)
        self._t_us = np.zeros((1, _NARROWEST), dtype=np.int64)
        self._value = np.zeros((1, _NARROWEST))

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1, and some to come."""
        missing = sensors - len(self._row)
        if missing > 0:
            self._row = np.pad(self._row, (0, max(missing, len(self._row) // 4)))

    def join(self, sensor: Sensors, t_us: Times, value: Floats) -> Joined:
        """n readings of sorted sensors with their windows (t − window, t]; moves nothing."""
        sensors, first, new = bounds(sensor)
        row = self._row[sensors]
        old = self._count[row]
        total = old + new
        stop = np.cumsum(total)
        start = stop - total
        at = np.arange(len(sensor)) + np.repeat(start + old - first, new)
        used = np.arange(self._t_us.shape[1]) < old[:, None]
        before = np.repeat(start, old) + np.nonzero(used)[1]
        all_t, all_values = np.empty(int(total.sum()), dtype=np.int64), np.empty(int(total.sum()))
        all_t[before], all_t[at] = self._t_us[row][used], t_us
        all_values[before], all_values[at] = self._value[row][used], value
        row_start = np.repeat(start, new)
        low = first_after(all_t, row_start, at, t_us - self._window_us)
        cut = low < at - KEPT_MAX + 1
        low = np.maximum(low, at - KEPT_MAX + 1)
        # One reading before the window too: its value held when the window began.
        oldest = np.maximum(np.maximum(low[first + new - 1] - 1, start), stop - KEPT_MAX)
        kept = _rows(sensors, oldest, stop - oldest, all_t, all_values)
        return Joined(all_t, all_values, row_start, at, low, cut, kept)

    def settle(self, kept: Kept) -> None:
        """Remember what `join` gave."""
        width = kept.t_us.shape[1]
        missing = width - self._t_us.shape[1]
        if missing > 0:
            room = ((0, 0), (0, missing))
            self._t_us, self._value = np.pad(self._t_us, room), np.pad(self._value, room)
        row = self._rows_of(kept.sensor)
        self._count[row] = kept.used
        self._t_us[row, :width] = kept.t_us
        self._value[row, :width] = kept.value

    def _rows_of(self, sensor: Sensors) -> NDArray[np.int32]:
        """The rows of some sensors, each once; new ones get theirs."""
        new = sensor[self._row[sensor] == 0]
        self._row[new] = np.arange(self._rows, self._rows + len(new))
        self._rows += len(new)
        missing = self._rows - len(self._count)
        if missing > 0:
            room = ((0, max(missing, len(self._count) // 4)), (0, 0))
            self._count = np.pad(self._count, room[0])
            self._t_us, self._value = np.pad(self._t_us, room), np.pad(self._value, room)
        return self._row[sensor]


def _rows(
    sensor: Sensors, oldest: Positions, count: Positions, t_us: Times, value: Floats
) -> Kept:
    """`count` readings of each sensor from `oldest` on, as rows of one width."""
    width = _NARROWEST
    while width < count.max(initial=0):
        width *= 2
    at = np.minimum(oldest[:, None] + np.arange(width), len(t_us) - 1)
    return Kept(sensor, count, t_us[at], value[at])
