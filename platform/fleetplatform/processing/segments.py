"""Searches inside many sorted stretches of one array at once."""

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.intp]
Times = NDArray[np.int64]


def first_after(times: Times, start: Positions, stop: Positions, after: Times) -> Positions:
    """For each of n: the first position in [start, stop) with a later time, or stop.

    times: sorted within each stretch. All n are halved at once, until the widest is found.
    """
    low, high = start.copy(), stop.copy()
    while True:
        open_ = np.flatnonzero(low < high)
        if not len(open_):
            return low
        middle = (low[open_] + high[open_]) // 2
        later = times[middle] > after[open_]
        high[open_[later]] = middle[later]
        low[open_[~later]] = middle[~later] + 1


def bounds(sensor: NDArray[np.int32]) -> tuple[NDArray[np.int32], Positions, Positions]:
    """The sensors of n sorted readings: each once, its first position and how many it has."""
    first = np.flatnonzero(np.diff(sensor, prepend=-1))
    return sensor[first], first, np.diff(first, append=len(sensor))
