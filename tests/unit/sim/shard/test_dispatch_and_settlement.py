"""What becomes of requests that a backend answers in every possible way, without a network."""

import asyncio
from typing import Any

import numpy as np
import pytest

from fleetplatform.wire.resources.receipts import Receipt, RejectedReading
from fleetsim.shard.dispatch import Dispatcher, Settled
from fleetsim.shard.settlement import UNNAMED, Columns, settle
from fleetsim.transport.outcome import Again, Outcome, Refused, Taken
from fleetsim.transport.report import Piece, Report, count
from fleetsim.transport.retry import Backoff, RetrySettings

_NOW = RetrySettings(initial=0.001, max=0.001, jitter=0.0)


class Scripted:
    """A transport with one lane that answers as it is told."""

    lanes = 1

    def __init__(self, outcomes: list[Any]) -> None:
        self.outcomes = outcomes
        self.bodies: list[list[int]] = []
        self.over = asyncio.Event()

    async def ready(self, lane: int) -> None:
        return None

    async def send(self, lane: int, sender: int, pieces: list[Piece]) -> Outcome:
        self.bodies.append(Columns.of(pieces).tick.tolist())
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            # The dispatcher enters this answer before the loop comes to the event.
            asyncio.get_running_loop().call_later(0.001, self.over.set)
        made: Outcome = outcome(count(pieces)) if callable(outcome) else outcome
        return made

    def close(self) -> None:
        return None


def _piece(first: int, size: int) -> Piece:
    tick = np.arange(first, first + size, dtype=np.int64)
    sensor = np.zeros(size, np.int32)
    return Piece(Report(sensor, tick, tick, tick / 2, tick.view(np.uint64), 0), 0, size)


def _taken(size: int) -> Taken:
    return Taken(Receipt(accepted=size, duplicates=0, rejected_total=0))


def _taken_but(*indexes: int, code: str = "bad", unnamed: int = 0) -> Any:
    def answer(size: int) -> Taken:
        total = len(indexes) + unnamed
        rejected = tuple(RejectedReading(index=i, code=code, detail="") for i in indexes)
        return Taken(
            Receipt(
                accepted=size - total, duplicates=0, rejected_total=total, rejected=rejected
            )
        )

    return answer


def _receipt(accepted: int, rejected: tuple[int, ...], total: int) -> Taken:
    named = tuple(RejectedReading(index=i, code="bad", detail="") for i in rejected)
    return Taken(Receipt(accepted=accepted, duplicates=0, rejected_total=total, rejected=named))


async def _play(
    outcomes: list[Any], pieces: list[Piece], *, buffer: int = 10_000, body: int = 10_000
) -> tuple[Scripted, Dispatcher, list[Settled]]:
    """Offer pieces of one sender and wait until the script is at its end."""
    transport = Scripted(list(outcomes))
    failures: list[BaseException] = []
    dispatcher = Dispatcher(
        transport,
        Backoff(_NOW, seed=1, shard=0),
        senders=1,
        buffer_readings=buffer,
        body_readings=body,
        on_failure=failures.append,
    )
    dispatcher.start()
    for piece in pieces:
        dispatcher.offer(0, piece)
    async with asyncio.timeout(5):
        await transport.over.wait()
    settled = dispatcher.collect()
    await dispatcher.stop()
    assert failures == []
    return transport, dispatcher, settled


def _ticks(pieces: list[Piece]) -> list[int]:
    return Columns.of(pieces).tick.tolist()


async def test_readings_of_many_reports_join_in_one_body_up_to_its_limit() -> None:
    pieces = [_piece(0, 3), _piece(3, 3), _piece(6, 3)]
    transport, dispatcher, settled = await _play([_taken, _taken], pieces, body=5)
    assert transport.bodies == [[0, 1, 2, 3, 4], [5, 6, 7, 8]]
    assert _ticks([p for s in settled for p in s.pieces]) == list(range(9))
    assert dispatcher.senders_waiting == 0
    assert dispatcher.remains() == ([], [])


async def test_a_lost_answer_makes_readings_uncertain_and_they_are_sent_again_first() -> None:
    lost = Again(uncertain=True)
    transport, _, settled = await _play([lost, _taken], [_piece(0, 2)])
    assert transport.bodies == [[0, 1], [0, 1]]
    assert [s.unanswered for s in settled] == [2]


async def test_a_rejection_after_a_lost_answer_leaves_the_end_open() -> None:
    """The first try may have stored them: neither acknowledged nor rejected is known."""
    lost = Again(uncertain=True)
    _, _, settled = await _play([lost, Refused("http_401")], [_piece(0, 2)])
    end = settle(settled)
    assert end.doubtful.tick.tolist() == [0, 1]
    assert len(end.acknowledged.tick) == len(end.rejected["http_401"].tick) == 0


async def test_a_rejection_after_a_clear_no_is_a_rejection() -> None:
    busy = Again(uncertain=False)
    _, _, settled = await _play([busy, Refused("http_401")], [_piece(0, 2)])
    assert settle(settled).rejected["http_401"].tick.tolist() == [0, 1]


async def test_rejected_readings_are_told_from_their_neighbours() -> None:
    _, _, settled = await _play([_taken_but(1, 3)], [_piece(0, 2), _piece(2, 2)])
    end = settle(settled)
    assert end.acknowledged.tick.tolist() == [0, 2]
    assert end.rejected["bad"].tick.tolist() == [1, 3]


async def test_a_body_with_more_rejections_than_are_named_is_sent_again_in_small_ones() -> None:
    outcomes = [
        _taken_but(*range(100), unnamed=50),
        _taken_but(*range(100)),
        _taken_but(*range(50)),
    ]
    transport, _, settled = await _play(outcomes, [_piece(0, 200)])
    assert [len(body) for body in transport.bodies] == [200, 100, 100]
    end = settle(settled)
    assert end.rejected["bad"].tick.tolist() == list(range(150))
    assert end.acknowledged.tick.tolist() == list(range(150, 200))
    assert len(end.doubtful.tick) == 0


async def test_a_body_rejected_as_a_whole_needs_no_names() -> None:
    _, _, settled = await _play([_taken_but(*range(100), unnamed=100)], [_piece(0, 200)])
    assert len(settle(settled).rejected["bad"].tick) == 200
    mixed = Settled([_piece(0, 3)], _receipt(0, (), 3), 1, 2, 0)
    assert settle([mixed]).rejected[UNNAMED].tick.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "receipt",
    [
        _receipt(1, (), 0),
        _receipt(3, (), 0),
        _receipt(1, (7,), 1),
        _receipt(1, (-1,), 1),
        _receipt(0, (0, 0), 2),
        _receipt(1, (), 1),
        _receipt(-1, (0, 1), 3),
    ],
    ids=["few", "many", "beyond", "before", "twice", "unnamed", "negative"],
)
async def test_a_receipt_that_cannot_be_for_the_body_counts_as_no_answer(receipt: Taken) -> None:
    _, _, settled = await _play([receipt, _taken], [_piece(0, 2)])
    assert [s.unanswered for s in settled] == [2]
    assert len(settle(settled).acknowledged.tick) == 2


async def test_after_the_end_what_was_sent_is_uncertain_and_the_rest_is_buffered() -> None:
    lost = Again(uncertain=True, retry_after_s=60.0)
    _, dispatcher, settled = await _play([lost], [_piece(0, 3), _piece(3, 3)], body=4)
    assert settled == []
    uncertain, buffered = dispatcher.remains()
    assert (_ticks(uncertain), _ticks(buffered)) == ([0, 1, 2, 3], [4, 5])


async def test_a_full_buffer_gives_back_what_it_drops() -> None:
    dispatcher = Dispatcher(
        Scripted([]),
        Backoff(_NOW, seed=1, shard=0),
        senders=1,
        buffer_readings=4,
        body_readings=4,
        on_failure=lambda error: None,
    )
    assert dispatcher.offer(0, _piece(0, 3)) == []
    assert _ticks(dispatcher.offer(0, _piece(3, 3))) == [0, 1]
    assert _ticks(dispatcher.remains()[1]) == [2, 3, 4, 5]


def test_latencies_are_kept_by_piece_and_a_reading_is_not_sent_before_it_is_there() -> None:
    early, late = _piece(0, 2), _piece(2, 1)
    late.report.intended_us = 50
    end = settle([Settled([early, late], _taken(3), 10, 90, 0)])
    assert end.intended_us.tolist() == [0, 50]
    assert end.first_sent_us.tolist() == [10, 50]
    assert end.answered_us.tolist() == [90, 90]
    assert end.sizes.tolist() == [2, 1]
    assert end.taken_us.tolist() == [90, 90, 90]
