"""Random numbers by position: any draw of a run can be made alone, in any order, on any shard.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11)
on arrays. The key is the run's seed; the counter is made of stream, id and tick, so nothing that
was drawn before moves what comes next. One uniform a draw; other distributions by their inverse.
"""

from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STREAMS_PER_PURPOSE = 1024
SENSORS_PER_DEVICE_MAX = 1024
"""The id of a sensor's draws is its device's ordinal times this, plus its place in the device."""
TICK_MAX = 2**44 - 1


class Purpose(IntEnum):
    """What a draw decides. A stream is `purpose * 1024 + k`; a number is never reused."""

    RETRY = 1
    MIX = 2
    NOISE = 3
    CALIBRATION = 4
    PHASE = 5
    FAULT = 6
    LEVEL = 7
    RECORDING = 8
    TRACK = 9
    BACKLOG = 10


_ROUNDS = 10
_WORD = np.uint64
_MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], dtype=_WORD)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_MASK = 0xFFFFFFFF
_LOW = np.uint64(_MASK)
_HALF = np.uint64(32)
# Large enough to hide the cost of a call, small enough for the second-level cache of a core.
_BLOCK = 16_384


def uniform(seed: int, stream: int, ids: Ints, ticks: Ints | int) -> Floats:
    """One number in (0, 1) for each of n (id, tick), from 52 random bits.

    seed: taken modulo 2^64 · stream: purpose * 1024 + k, below 2^20 · ids: from 0, below 2^63 ·
    ticks: from 0 to TICK_MAX. Ids and ticks are broadcast against each other.
    """
    key = (seed & _MASK, seed >> 32 & _MASK)
    ids, ticks = np.broadcast_arrays(
        np.asarray(ids, dtype=np.int64), np.asarray(ticks, dtype=np.int64)
    )
    drawn = np.empty(ids.size)
    for start in range(0, ids.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        _fill(drawn[block], key, stream, ids[block], ticks[block])
    return drawn


def normal(seed: int, stream: int, ids: Ints, ticks: Ints | int) -> Floats:
    """One standard normal number for each of n (id, tick); see `uniform`."""
    drawn = uniform(seed, stream, ids, ticks)
    ndtri(drawn, out=drawn)
    return drawn


def philox(counter: NDArray[np.uint64], key: tuple[int, int]) -> NDArray[np.uint64]:
    """Philox4x32-10 of n counters, shape (4, n), each word in the low half of a uint64.

    Works in place, and returns the counters' array.
    """
    # Words 0 and 2 are multiplied, 1 and 3 mixed in: both pairs at once, for small arrays' sake.
    factor, mixed = counter[0::2], counter[1::2]
    product = np.empty_like(factor)
    crossed = product[::-1]
    for round_key in _round_keys(key):
        np.multiply(factor, _MULTIPLIERS, out=product)
        np.right_shift(crossed, _HALF, out=factor)
        factor ^= mixed
        factor ^= round_key
        np.bitwise_and(crossed, _LOW, out=mixed)
    return counter


@lru_cache(maxsize=16)
def _round_keys(key: tuple[int, int]) -> list[NDArray[np.uint64]]:
    """The key of each round, shape (2, 1)."""
    pairs = list(zip(key, _WEYL, strict=True))
    return [
        np.array([[word + turn * step & _MASK] for word, step in pairs], dtype=_WORD)
        for turn in range(_ROUNDS)
    ]


def _fill(drawn: Floats, key: tuple[int, int], stream: int, ids: Ints, ticks: Ints) -> None:
    """Draw one block."""
    positions, places = ticks.view(np.uint64), ids.view(np.uint64)
    counter = np.empty((4, len(drawn)), dtype=np.uint64)
    np.bitwise_and(positions, _LOW, out=counter[0])
    np.bitwise_and(places, _LOW, out=counter[1])
    np.right_shift(places, _HALF, out=counter[2])
    # Ticks have 44 bits and streams 20: the high part of a tick stands above the stream.
    np.right_shift(positions, _HALF, out=counter[3])
    counter[3] <<= np.uint64(20)
    counter[3] |= np.uint64(stream)
    word = philox(counter, key)
    # 26 bits of the first word and 26 of the second; the half keeps both ends of (0, 1) out.
    word[0] >>= np.uint64(6)
    word[1] >>= np.uint64(6)
    word[0] <<= np.uint64(26)
    word[0] |= word[1]
    np.add(word[0], 0.5, out=drawn)
    drawn *= 2.0**-52
