"""The readings that were not acknowledged, so that each emitted reading's end can be told."""

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.report import Disposition

_TICK_BITS = 40
"""Ticks of one sensor stay below this many bits: 34 years of one reading a millisecond."""


class Exceptions:
    """Sensor, tick and end of each reading that was not acknowledged; 9 bytes a reading.

    Withheld readings are not among them: the faults that withheld them make them again.
    """

    def __init__(self) -> None:
        self._keys: list[NDArray[np.int64]] = []
        self._ends: list[NDArray[np.int8]] = []

    def add(
        self, sensor: NDArray[np.int32], tick: NDArray[np.int64], disposition: Disposition
    ) -> None:
        """Note the same end for some readings."""
        if len(sensor):
            self._keys.append(_key(sensor, tick))
            self._ends.append(np.full(len(sensor), disposition, dtype=np.int8))

    def dispositions(
        self, sensor: NDArray[np.int32], tick: NDArray[np.int64]
    ) -> NDArray[np.int8]:
        """What became of readings that were emitted and not withheld."""
        found = np.full(len(sensor), Disposition.ACKNOWLEDGED, dtype=np.int8)
        if not self._keys:
            return found
        keys = np.concatenate(self._keys)
        order = np.argsort(keys, kind="stable")
        keys, ends = keys[order], np.concatenate(self._ends)[order]
        wanted = _key(sensor, tick)
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, ends[at], found)


def _key(sensor: NDArray[np.int32], tick: NDArray[np.int64]) -> NDArray[np.int64]:
    key: NDArray[np.int64] = (sensor.astype(np.int64) << _TICK_BITS) | tick
    return key
