"""Which readings of a sensor retention deleted, of those that are in no place any more."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fleetsim.ledger.digest import hash_onto
from fleetsim.ledger.report import Readings

_GUESSES_MAX = 4096


@dataclass(frozen=True)
class Account:
    """expired: positions of readings that were deleted · too_many: deleted, and never stored ·
    altered: 1 where the hash says that others were deleted than could have been.
    """

    expired: NDArray[np.intp]
    too_many: int
    altered: int


def settle(
    readings: Readings,
    lost: NDArray[np.intp],
    absent: NDArray[np.intp],
    sensor_hash: np.uint64,
    told: tuple[int, int | None],
) -> Account:
    """Compare a sensor's missing readings with what the platform says it deleted.

    lost: acknowledged ones, absent: never answered for · told: count and hash (None: not hashed).
    Retention takes the oldest first, so of too many missing ones the newest are lost.
    """
    count, told_hash = told
    oldest = lost[np.argsort(readings.t_us[lost], kind="stable")][:count]
    missing = count - len(oldest)
    too_many = max(0, missing - len(absent))
    if told_hash is None or too_many or not count:
        return Account(oldest, too_many, 0)
    hashes = hash_onto(
        np.full(len(readings), sensor_hash, np.uint64), readings.t_us, readings.raw
    )
    base = int(hashes[oldest].sum(dtype=np.uint64))
    for number, chosen in enumerate(combinations(absent.tolist(), missing)):
        if (base + int(hashes[list(chosen)].sum(dtype=np.uint64))) % 2**64 == told_hash:
            return Account(oldest, 0, 0)
        if number >= _GUESSES_MAX:
            break
    return Account(oldest, 0, 1)
