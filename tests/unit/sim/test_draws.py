"""Draws: the generator is Philox, and every draw can be had alone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.draws import TICK_MAX, normal, philox, uniform

WIDTH_32 = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
WIDTH_64 = (
    (0xD2E7470EE14C6C93, 0xCA5A826395121157),
    (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B),
)
# Known answers of Random123 (tests/kat_vectors, philox4x32 10): counter, key, output.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

words_32 = st.integers(0, 2**32 - 1)
words_64 = st.integers(0, 2**64 - 1)


def _philox4(width: int, counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """The paper's philox4xW-10, in whole numbers of any size."""
    multipliers, steps = WIDTH_32 if width == 32 else WIDTH_64
    mask = 2**width - 1
    for _ in range(10):
        first, third = counter[0] * multipliers[0], counter[2] * multipliers[1]
        counter = (
            third >> width ^ counter[1] ^ key[0],
            third & mask,
            first >> width ^ counter[3] ^ key[1],
            first & mask,
        )
        key = (key[0] + steps[0] & mask, key[1] + steps[1] & mask)
    return counter


@given(st.tuples(*[words_64] * 4), st.tuples(words_64, words_64))
def test_the_reference_at_64_bits_is_numpys(
    counter: tuple[int, ...], key: tuple[int, int]
) -> None:
    source = np.random.Philox(counter=0, key=0)
    state = source.state
    state["state"] = {
        "counter": np.array(counter, dtype=np.uint64),
        "key": np.array(key, dtype=np.uint64),
    }
    state["buffer_pos"] = 4
    source.state = state
    # numpy counts up before it draws.
    number = sum(word << 64 * i for i, word in enumerate(counter)) + 1
    following = tuple(number >> 64 * i & 2**64 - 1 for i in range(4))
    assert tuple(int(word) for word in source.random_raw(4)) == _philox4(64, following, key)


@given(st.lists(st.tuples(*[words_32] * 4), min_size=1), st.tuples(words_32, words_32))
def test_arrays_make_what_the_reference_makes_at_32_bits(
    counters: list[tuple[int, ...]], key: tuple[int, int]
) -> None:
    drawn = philox(np.array(counters, dtype=np.uint64).T.copy(), key)
    expected = [_philox4(32, counter, key) for counter in counters]
    assert [tuple(column) for column in drawn.T.tolist()] == expected


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(
    counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    drawn = philox(np.array(counter, dtype=np.uint64).reshape(4, 1), key)
    assert tuple(drawn[:, 0].tolist()) == expected


@given(
    seed=words_64,
    stream=st.integers(0, 2**20 - 1),
    identity=st.integers(0, 2**63 - 1),
    tick=st.integers(0, TICK_MAX),
)
def test_a_uniform_is_52_bits_of_its_counter(
    seed: int, stream: int, identity: int, tick: int
) -> None:
    counter = (
        tick & 0xFFFFFFFF, identity & 0xFFFFFFFF, identity >> 32, tick >> 32 << 20 | stream,
    )  # fmt: skip
    word = _philox4(32, counter, (seed & 0xFFFFFFFF, seed >> 32))
    expected = ((word[0] >> 6 << 26 | word[1] >> 6) + 0.5) / 2**52
    assert uniform(seed, stream, np.array([identity]), tick).tolist() == [expected]


@given(seed=words_64, cuts=st.lists(st.integers(0, 40_000), max_size=5))
def test_any_grouping_draws_the_same_bits(seed: int, cuts: list[int]) -> None:
    ids, ticks = np.arange(40_000) % 977, np.arange(40_000) // 977
    edges = [0, *sorted(cuts), 40_000]
    parts = [
        normal(seed, 5, ids[a:b], ticks[a:b]) for a, b in pairwise(edges)
    ]
    assert np.array_equal(np.concatenate(parts), normal(seed, 5, ids, ticks))


def test_draws_are_uniform_normal_and_independent() -> None:
    ids = np.arange(400_000)
    flat, bell, other = uniform(1, 1024, ids, 3), normal(1, 1024, ids, 4), normal(1, 1025, ids, 4)
    assert flat.min() > 0
    assert flat.max() < 1
    counts = np.histogram(flat, bins=100, range=(0, 1))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 160
    assert abs(bell.mean()) < 0.01
    assert abs(bell.std() - 1) < 0.01
    assert abs(np.corrcoef(bell, other)[0, 1]) < 0.01
    assert abs(np.corrcoef(bell[1:], bell[:-1])[0, 1]) < 0.01


def test_ids_and_ticks_are_broadcast() -> None:
    row = uniform(1, 2, np.array([5]), np.arange(4))
    assert row.tolist() == [uniform(1, 2, np.array([5]), tick)[0] for tick in range(4)]
    assert uniform(1, 2, np.zeros(0, dtype=np.int64), 0).tolist() == []
