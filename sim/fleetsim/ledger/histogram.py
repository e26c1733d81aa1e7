"""A log-linear histogram of durations: mergeable, and never more than 1 % off."""

import numpy as np
from numpy.typing import NDArray

_SUB_BITS = 7
_SUB = 1 << _SUB_BITS
_LIMIT_US = (1 << 40) - 1
_BUCKETS = (40 - _SUB_BITS + 1) * _SUB


class Histogram:
    """Counts of whole numbers of µs; values below 0 count as 0, above 2^40 (12 days) as that.

    Below 128 µs every value has a bucket of its own; above, each power of two is cut into 128
    buckets, so a bucket is at most 1/128 of its lower bound wide.
    """

    __slots__ = ("_counts", "_max")

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] | None = None
        self._max = 0

    def add(self, values_us: NDArray[np.int64], weights: NDArray[np.int64] | None = None) -> None:
        """Count values, each once or as often as its weight says."""
        if len(values_us) == 0:
            return
        values = np.clip(values_us, 0, _LIMIT_US)
        counts = np.bincount(_bucket(values), weights=weights, minlength=_BUCKETS)
        self._counts = self._counts_or_zeros() + counts.astype(np.int64)
        self._max = max(self._max, int(values.max()))

    def merge(self, other: "Histogram") -> None:
        """Add what another has counted."""
        if other._counts is not None:
            self._counts = self._counts_or_zeros() + other._counts
            self._max = max(self._max, other._max)

    @property
    def count(self) -> int:
        """How many values were added."""
        return 0 if self._counts is None else int(self._counts.sum())

    @property
    def max(self) -> int:
        """The largest value, exactly; 0 when empty."""
        return self._max

    def percentile(self, q: float) -> float | None:
        """The value in µs that `q` percent (0 to 100) do not exceed; None when empty."""
        if self._counts is None or not self.count:
            return None
        cumulated = np.cumsum(self._counts)
        rank = max(1, int(np.ceil(q / 100 * cumulated[-1])))
        at = int(np.searchsorted(cumulated, rank))
        lower, upper = _bounds(np.array([at]))
        return float(min((lower[0] + upper[0] - 1) / 2, self._max))

    def buckets(self) -> list[tuple[int, int, int]]:
        """Lower bound, upper bound (exclusive) and count of each bucket that holds values."""
        if self._counts is None:
            return []
        at = np.nonzero(self._counts)[0]
        lower, upper = _bounds(at)
        return list(zip(lower.tolist(), upper.tolist(), self._counts[at].tolist(), strict=True))

    def __getstate__(self) -> tuple[list[int], list[int], int]:
        buckets = [] if self._counts is None else np.flatnonzero(self._counts).tolist()
        counts = [] if self._counts is None else self._counts[buckets].tolist()
        return buckets, counts, self._max

    def __setstate__(self, state: tuple[list[int], list[int], int]) -> None:
        buckets, counts, self._max = state
        self._counts = None
        if buckets:
            self._counts = self._counts_or_zeros()
            self._counts[buckets] = counts

    def _counts_or_zeros(self) -> NDArray[np.int64]:
        return np.zeros(_BUCKETS, np.int64) if self._counts is None else self._counts


def _bucket(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The index of each value's bucket."""
    # frexp is exact up to 2^53: value = m · 2^e with m in [0.5, 1).
    exponent = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(exponent - _SUB_BITS - 1, 0)
    bucket: NDArray[np.int64] = (shift << _SUB_BITS) + (values >> shift)
    return bucket


def _bounds(buckets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lower and exclusive upper bound of buckets."""
    shift = np.maximum((buckets >> _SUB_BITS) - 1, 0)
    lower = (buckets - (shift << _SUB_BITS)) << shift
    upper: NDArray[np.int64] = lower + (np.int64(1) << shift)
    return lower, upper
