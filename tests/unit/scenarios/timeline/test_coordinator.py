"""The play of a timeline, with a fleet that only notes what it was told."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetconf.place import Place
from fleetplatform.wire.clock import ClockLaw
from fleetsim.fleet import Fleet
from fleetsim.ledger.report import Sample
from fleetstorm.errors import InfrastructureError
from fleetstorm.results.events import EventLog, read_events
from fleetstorm.timeline import coordinator
from fleetstorm.timeline.actions import Moment, Stage
from fleetstorm.timeline.coordinator import Coordinator, Span
from fleetstorm.timeline.language import Entry, read_entry

START_US = 1_780_000_000_000_000
SPAN = Span(START_US, duration_s=5.0, speed=2.0, step_s=1.0)


class Notebook:
    """Stands where the fleet stands, and plays no time."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    async def apply(self, order: Any) -> None:
        self.told.append(("apply", order.at_us - START_US))

    async def begin(self, law: ClockLaw) -> None:
        self.told.append(("begin", law.speed))

    async def advance(self, until_us: int, law: ClockLaw) -> Sample:
        self.told.append(("advance", until_us - START_US))
        return Sample(virtual_us=until_us)

    async def drain(self, timeout_s: float) -> Sample:
        self.told.append(("drain", timeout_s))
        return Sample()


@pytest.fixture
def events(tmp_path: Path) -> Iterator[EventLog]:
    log = EventLog(tmp_path / "events.jsonl")
    yield log
    log.close()


def _entry(at: str) -> Entry:
    return read_entry({"at": at, "load": {"rate": "1/s"}}, Place("timeline[0]"))


async def test_orders_come_before_the_load_and_steps_meet_at_every_entry(events: EventLog) -> None:
    fleet = Notebook()
    samples: list[int] = []
    clock: list[ClockLaw] = []

    async def set_clock(law: ClockLaw) -> None:
        fleet.told.append(("clock", law.speed))
        clock.append(law)

    played = Coordinator(
        cast(Fleet, fleet),
        [_entry("3s"), _entry("0s"), _entry("9s")],
        SPAN,
        events,
        set_clock=set_clock,
        on_sample=lambda sample, law: samples.append(sample.virtual_us - START_US),
    )
    law = await played.play()
    await played.drain(7.0)
    assert fleet.told == [
        ("apply", 0),
        ("apply", 3_000_000),
        ("clock", 2.0),
        ("begin", 2.0),
        ("advance", 2_000_000),
        ("advance", 3_000_000),
        ("advance", 4_000_000),
        ("advance", 5_000_000),
        ("drain", 7.0),
    ]
    assert clock == [law]
    assert samples[:-1] == [2_000_000, 3_000_000, 4_000_000, 5_000_000]
    assert [(e["kind"], e["virtual_us"] - START_US) for e in read_events(events.path)[:-1]] == [
        ("not_reached", 9_000_000),
        ("load_began", 0),
        ("load_changed", 0),
        ("load_changed", 3_000_000),
        ("load_ended", 5_000_000),
    ]


async def test_a_clock_of_its_own_is_left_alone(events: EventLog) -> None:
    fleet = Notebook()
    played = Coordinator(
        cast(Fleet, fleet), [], SPAN, events, set_clock=None, on_sample=lambda sample, law: None
    )
    await played.play()
    assert [what for what, _ in fleet.told] == ["begin", "advance", "advance", "advance"]


class _Beside:
    """An action whose work goes on beside the load, and fails if told to."""

    def __init__(self, until: asyncio.Event, error: str | None = None) -> None:
        self.until, self.error, self.ended = until, error, False

    def orders(self, moment: Moment) -> list[Any]:
        return []

    async def perform(self, stage: Stage, moment: Moment) -> None:
        stage.go_on(self._work(stage))

    async def _work(self, stage: Stage) -> None:
        try:
            if self.error is None:
                await self.until.wait()
                stage.found["partitions"] = {"begun": 3}
            else:
                raise InfrastructureError(self.error)
        finally:
            self.ended = True


def _beside(events: EventLog, fleet: Notebook, *actions: _Beside) -> Coordinator:
    entries = [Entry(1.0, "beside", action) for action in actions]
    return Coordinator(
        cast(Fleet, fleet), entries, SPAN, events, set_clock=None, on_sample=lambda _, __: None
    )


async def test_the_load_is_over_when_what_goes_on_beside_it_is(events: EventLog) -> None:
    action = _Beside(asyncio.Event())
    played = _beside(events, Notebook(), action)
    play = asyncio.create_task(played.play())
    while "load_ended" not in [event["kind"] for event in read_events(events.path)]:
        await asyncio.sleep(0)
    assert (play.done(), dict(played.found)) == (False, {})
    action.until.set()
    await play
    assert dict(played.found) == {"partitions": {"begun": 3}}


async def test_what_fails_beside_the_load_ends_it_and_the_rest_of_it(events: EventLog) -> None:
    class Patient(Notebook):
        async def advance(self, until_us: int, law: ClockLaw) -> Sample:
            await asyncio.sleep(0)
            return await super().advance(until_us, law)

    fleet, waiting = Patient(), _Beside(asyncio.Event())
    played = _beside(events, fleet, waiting, _Beside(asyncio.Event(), "it did not bite"))
    with pytest.raises(InfrastructureError, match="it did not bite"):
        await played.play()
    assert waiting.ended
    assert fleet.told[-1] != ("advance", 5_000_000)


async def test_a_fleet_that_never_comes_back_ends_the_run(
    events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stuck(Notebook):
        async def advance(self, until_us: int, law: ClockLaw) -> Sample:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(coordinator, "STALL_S", 0.05)
    span = Span(START_US, duration_s=0.1, speed=1.0, step_s=1.0)
    played = Coordinator(
        cast(Fleet, Stuck()), [], span, events, set_clock=None, on_sample=lambda sample, law: None
    )
    with pytest.raises(InfrastructureError, match="behind its schedule"):
        await played.play()


@given(
    st.floats(0.1, 50), st.floats(0.1, 200), st.floats(0.05, 5), st.lists(st.floats(0, 60))
)
def test_shards_meet_often_enough_and_at_the_end(
    duration_s: float, speed: float, step_s: float, entries_s: list[float]
) -> None:
    """Whatever the speed: no step is longer in wall time than asked for, and none is empty."""
    span = Span(START_US, duration_s, speed, step_s)
    meetings = [START_US, *span.boundaries([span.at_us(at) for at in entries_s])]
    steps_us = [b - a for a, b in pairwise(meetings)]
    assert meetings[-1] == span.end_us
    assert all(0 < step <= step_s * speed * 1e6 + 1 for step in steps_us)
