"""Which sensor of the books a row belongs to, found for many rows at once."""

from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.digest import sensor_hash
from fleetsim.ledger.report import LedgerReport

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
UNKNOWN = -1


class SensorIndex:
    """Finds ids among the S sensors of the books; `hashes` is each sensor's part of the digest."""

    def __init__(self, ledger: LedgerReport) -> None:
        self._high = ledger.sensor_high
        self._low = ledger.sensor_low
        self.hashes = sensor_hash(ledger.sensor_high, ledger.sensor_low)
        keys = _keys(self._high, self._low)
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]
        if (self._sorted[1:] == self._sorted[:-1]).any():
            raise ValueError("the ledger names a sensor twice")

    def find(self, high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Indices of the sensors with these ids, UNKNOWN where there is none."""
        if not len(self._sorted):
            return np.full(len(high), UNKNOWN, dtype=np.intp)
        at = np.searchsorted(self._sorted, _keys(high, low))
        found = self._order[np.minimum(at, len(self._sorted) - 1)]
        same = (self._high[found] == high) & (self._low[found] == low)
        return found if same.all() else np.where(same, found, UNKNOWN)

    def ids(self, sensors: NDArray[np.int64]) -> list[UUID]:
        """The ids of some sensors."""
        return [self.id(int(sensor)) for sensor in sensors]

    def id(self, sensor: int) -> UUID:
        """The id of one sensor."""
        return make_id(int(self._high[sensor]), int(self._low[sensor]))


def make_id(high: int, low: int) -> UUID:
    """A UUID from its halves."""
    return UUID(int=high << 64 | low)


def _keys(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One number an id: ids that differ have the same with a chance of 2^-64."""
    keys: NDArray[np.uint64] = low + high * _SPREAD
    return keys
