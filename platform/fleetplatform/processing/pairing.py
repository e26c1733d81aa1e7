"""What another sensor measured last, for each reading of one: the inputs of derived values."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleetplatform.processing.rules._newest import Newest
from fleetplatform.processing.segments import bounds, first_after

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Sensors = NDArray[np.int32]


class Newly(NamedTuple):
    """The newest readings of a batch, one a sensor."""

    sensor: Sensors
    t_us: Times
    value: Floats


class Pairing:
    """Remembers each other sensor's newest reading; `match` moves nothing, `settle` does."""

    def __init__(self, max_age_us: int) -> None:
        self._max_age_us = max_age_us
        self._newest = Newest()

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""
        self._newest.reserve(sensors)

    def match(
        self, wanted: Sensors, t_us: Times, sensor: Sensors, other_us: Times, value: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Of n readings: what the sensor `wanted` measured at or before t_us, and whether it did.

        sensor, other_us, value: the batch's m readings of the other sensors, sorted by sensor and
        time. What was remembered serves where the batch has none: the newest, even if that came
        ahead of its time.
        """
        found_us, found = self._newest.t_us[wanted], self._newest.value[wanted]
        sensors, first, count = bounds(sensor)
        if len(sensors):
            at = np.minimum(np.searchsorted(sensors, wanted), len(sensors) - 1)
            rows = np.flatnonzero(sensors[at] == wanted)
            start = first[at[rows]]
            before = first_after(other_us, start, start + count[at[rows]], t_us[rows]) - 1
            there = before >= start
            found_us[rows[there]] = other_us[before[there]]
            found[rows[there]] = value[before[there]]
        return found, np.abs(t_us - found_us) <= self._max_age_us

    def newly(self, sensor: Sensors, other_us: Times, value: Floats) -> Newly:
        """What is to be remembered of a batch."""
        sensors, first, count = bounds(sensor)
        last = first + count - 1
        return Newly(sensors, other_us[last], value[last])

    def settle(self, state: Newly) -> None:
        """Remember what `newly` gave."""
        self._newest.settle(*state)
