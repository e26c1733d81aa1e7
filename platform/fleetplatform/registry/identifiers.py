"""UUIDs as columns: two unsigned 64-bit halves, and which index an id has."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.uint64]

_HALF = (1 << 64) - 1


def split(ids: bytes) -> tuple[Halves, Halves]:
    """The halves of n ids that stand one behind the other, 16 bytes each, as uint64[n]."""
    pairs = np.frombuffer(ids, dtype=">u8").reshape(-1, 2)
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)


def halves_of(ids: Sequence[UUID]) -> tuple[Halves, Halves]:
    """The halves of some ids as uint64 arrays."""
    numbers = [one.int for one in ids]
    high = np.array([number >> 64 for number in numbers], dtype=np.uint64)
    return high, np.array([number & _HALF for number in numbers], dtype=np.uint64)


class IdIndex:
    """Gives each id the next index, and finds it again. Never changed: `extended` makes another."""

    __slots__ = ("_order", "_sorted_high", "_sorted_low", "high", "low")

    def __init__(self, high: Halves, low: Halves, order: NDArray[np.int32]) -> None:
        self.high = high
        self.low = low
        self._order = order
        self._sorted_low = low[order]
        self._sorted_high = high[order]

    @classmethod
    def empty(cls) -> "IdIndex":
        """Without any id."""
        none = np.zeros(0, dtype=np.uint64)
        return cls(none, none, np.zeros(0, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.high)

    def find(self, high: Halves, low: Halves) -> NDArray[np.int32]:
        """The index of each of n ids; -1 where it has none."""
        if not len(self):
            return np.full(len(high), -1, dtype=np.int32)
        last = len(self) - 1
        # The low half is random, so almost every id is found at the first look.
        at = np.minimum(np.searchsorted(self._sorted_low, low), last)
        while True:
            same_low = self._sorted_low[at] == low
            found = same_low & (self._sorted_high[at] == high)
            further = same_low & ~found & (at < last)
            if not further.any():
                return np.where(found, self._order[at], np.int32(-1))
            at = at + further

    def extended(self, high: Halves, low: Halves) -> "IdIndex":
        """This index with n ids more; they are new and differ from one another."""
        if not len(high):
            return self
        count = len(self)
        fresh = np.lexsort((high, low))
        at = np.searchsorted(self._sorted_low, low[fresh], side="right")
        # Equal low halves must lie side by side; which of them comes first does not matter.
        order = np.insert(self._order, at, (fresh + count).astype(np.int32))
        return IdIndex(np.concatenate([self.high, high]), np.concatenate([self.low, low]), order)

    def new_among(self, high: Halves, low: Halves) -> NDArray[np.intp]:
        """Positions of those ids that have no index yet, each id once, in order of appearance."""
        unknown = np.flatnonzero(self.find(high, low) < 0)
        pairs = np.stack([high[unknown], low[unknown]], axis=1)
        first = np.unique(pairs, axis=0, return_index=True)[1]
        return unknown[np.sort(first)]
