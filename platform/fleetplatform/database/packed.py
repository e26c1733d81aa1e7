"""Columns that the database sends packed in one value: the bytes of its own binary format."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

EPOCH_2000_US = 946_684_800_000_000
"""2000-01-01, from which PostgreSQL counts, in µs since 1970."""


def floats(packed: bytes) -> NDArray[np.float64]:
    """What string_agg(float8send(…), '') made."""
    column: Any = np.frombuffer(packed, dtype=">f8")
    return column.astype(np.float64)  # type: ignore[no-any-return]


def times_us(packed: bytes) -> NDArray[np.int64]:
    """What string_agg(timestamptz_send(…), '') made, in µs since 1970.

    The infinities become the least and the greatest number.
    """
    column: Any = np.frombuffer(packed, dtype=">i8")
    times: NDArray[np.int64] = column.astype(np.int64)
    limits = np.iinfo(np.int64)
    times[(times != limits.min) & (times != limits.max)] += EPOCH_2000_US
    return times
