"""A sender's buffer: order, bounds, and what may be dropped."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.devices.buffer import Buffer
from fleetsim.transport.report import Piece, Report, count


def _report(first: int, size: int) -> Report:
    ticks = np.arange(first, first + size, dtype=np.int64)
    sensor, hashes = np.zeros(size, np.int32), ticks.view(np.uint64)
    return Report(sensor, ticks, ticks * 1000, ticks / 2, hashes, intended_us=0)


def _piece(first: int, size: int) -> Piece:
    return Piece(_report(first, size), 0, size)


def _ticks(pieces: list[Piece]) -> list[int]:
    return [t for p in pieces for t in p.report.tick[p.start : p.stop].tolist()]


def test_a_body_takes_the_oldest_readings_across_pieces() -> None:
    buffer = Buffer(100)
    for first in (0, 3, 6):
        assert buffer.put(_piece(first, 3)) == []
    assert _ticks(buffer.hold(7)) == [0, 1, 2, 3, 4, 5, 6]
    assert _ticks(buffer.settle(7)) == [0, 1, 2, 3, 4, 5, 6]
    assert _ticks(buffer.hold(7)) == [7, 8]


def test_a_full_buffer_drops_the_oldest_waiting_and_never_what_is_held() -> None:
    buffer = Buffer(4)
    buffer.put(_piece(0, 2))
    buffer.hold(2)
    buffer.put(_piece(2, 2))
    assert _ticks(buffer.put(_piece(4, 1))) == [2]
    assert _ticks(buffer.put(_piece(5, 3))) == [3, 4, 5]
    assert _ticks(buffer.hold(10)) == [0, 1, 6, 7]


def test_readings_given_back_join_the_next_body_in_order() -> None:
    buffer = Buffer(100)
    buffer.put(_piece(0, 4))
    buffer.hold(3)
    buffer.give_back(keep=1)
    buffer.put(_piece(4, 2))
    assert _ticks(buffer.held) == [0]
    assert _ticks(buffer.hold(5)) == [0, 1, 2, 3, 4]


def test_a_smaller_body_than_what_is_held_is_settled_on_its_own() -> None:
    buffer = Buffer(100)
    buffer.put(_piece(0, 5))
    buffer.hold(5)
    assert _ticks(buffer.hold(2)) == [0, 1]
    assert _ticks(buffer.settle(2)) == [0, 1]
    assert _ticks(buffer.hold(2)) == [2, 3]
    assert buffer.size == 3


@given(
    capacity=st.integers(1, 12),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "hold", "settle", "give_back"]), st.integers(1, 8)
        ),
        max_size=40,
    ),
)
def test_every_reading_is_dropped_settled_or_kept_once(
    capacity: int, steps: list[tuple[str, int]]
) -> None:
    buffer, made = Buffer(capacity), 0
    dropped: list[int] = []
    settled: list[int] = []
    for step, size in steps:
        if step == "put":
            dropped += _ticks(buffer.put(_piece(made, size)))
            made += size
        elif step == "hold":
            assert count(buffer.hold(size)) <= size
        elif step == "settle":
            settled += _ticks(buffer.settle(min(size, count(buffer.held))))
        else:
            buffer.give_back(keep=min(size, count(buffer.held)))
        kept = _ticks(buffer.held + buffer.waiting)
        assert buffer.size == len(kept)
        assert buffer.size <= capacity
        assert kept == sorted(kept)
    assert settled == sorted(settled)
    assert sorted(dropped + settled + kept if steps else []) == list(range(made))
