"""Plays a timeline: shards together, the clock, the actions, each at its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetstorm.errors import InfrastructureError
from fleetstorm.results.events import EventLog
from fleetstorm.timeline.actions import Moment, Stage
from fleetstorm.timeline.language import Entry

if TYPE_CHECKING:
    from fleetsim.fleet import Fleet
    from fleetsim.ledger.report import Sample

_LEAD_US = 300_000
"""From setting the clock to the first reading, in wall time: what the shards need to hear of it."""
_US = 1_000_000

STALL_S = 120.0
"""A fleet that is later than this (wall time) will not catch up."""

OnSample = Callable[["Sample", ClockLaw], None]
SetClock = Callable[[ClockLaw], Awaitable[None]]


@dataclass(frozen=True)
class Span:
    """When the load is, in virtual time, and how fast that passes.

    `step_s` is the wall time that shards may be apart.
    """

    start_us: int
    duration_s: float
    speed: float
    step_s: float

    @property
    def end_us(self) -> int:
        """Virtual time at which the load is over."""
        return self.start_us + round(self.duration_s * _US)

    def at_us(self, seconds: float) -> int:
        """Virtual time at so many seconds after the start."""
        return self.start_us + round(seconds * _US)

    def boundaries(self, instants: Sequence[int]) -> Iterator[int]:
        """The virtual times at which all shards meet, the given instants among them."""
        step_us = max(1, round(self.step_s * self.speed * _US))
        steps = set(range(self.start_us + step_us, self.end_us, step_us))
        within = {t for t in instants if self.start_us < t < self.end_us}
        yield from sorted(steps | within | {self.end_us})


class Coordinator:
    """The one who says how far virtual time has come.

    *waiting* until `play`, *playing* while virtual time passes, then *drained* when the buffers of
    the fleet are empty or the time for that is up.
    """

    def __init__(
        self,
        fleet: Fleet,
        entries: Sequence[Entry],
        span: Span,
        events: EventLog,
        *,
        set_clock: SetClock | None,
        on_sample: OnSample,
    ) -> None:
        """`set_clock` is None for a platform whose clock goes its own way."""
        self._fleet = fleet
        self._span = span
        self._events = events
        self._set_clock = set_clock
        self._on_sample = on_sample
        self._stage = Stage(fleet, events)
        planned = moments(entries, span)
        self._ahead = [(moment, entry) for moment, entry in planned if moment.at_us < span.end_us]
        for moment, entry in planned[len(self._ahead) :]:
            events.add("not_reached", moment.at_us, action=entry.name)
        self.law: ClockLaw | None = None

    async def play(self) -> ClockLaw:
        """The load from its start to its end; gives the law that virtual time followed."""
        for moment, entry in self._ahead:
            for order in entry.action.orders(moment):
                await self._fleet.apply(order)
        law = await self._begin()
        await self._perform(until_us=self._span.start_us)
        for until_us in self._span.boundaries([moment.at_us for moment, _ in self._ahead]):
            self._on_sample(await self._advance(until_us, law), law)
            await self._perform(until_us)
        self._events.add("load_ended", self._span.end_us)
        return law

    async def drain(self, timeout_s: float) -> None:
        """Wait until the fleet has nothing left to send, `timeout_s` of wall time at most."""
        if self.law is None:
            return
        sample = await self._fleet.drain(timeout_s)
        self._on_sample(sample, self.law)
        self._events.add("drained", self.law.now_us(), buffered=sample.buffered)

    async def _begin(self) -> ClockLaw:
        """Fix the law, tell the platform first and then the shards."""
        span = self._span
        law = ClockLaw(span.start_us, wall_now_us() + _LEAD_US, span.speed)
        self.law = law
        if self._set_clock is not None:
            await self._set_clock(law)
        await self._fleet.begin(law)
        self._events.add("load_began", span.start_us, law=law)
        return law

    async def _advance(self, until_us: int, law: ClockLaw) -> Sample:
        """One step of all shards; raises InfrastructureError when they do not come to its end."""
        due_s = max(0.0, (law.wall_us(until_us) - wall_now_us()) / _US)
        try:
            async with asyncio.timeout(due_s + STALL_S):
                return await self._fleet.advance(until_us, law)
        except TimeoutError:
            raise InfrastructureError(
                f"the fleet is more than {STALL_S:g} s behind its schedule: the simulator cannot"
                " make this load here; ask for less, or give it more shards"
            ) from None

    async def _perform(self, until_us: int) -> None:
        """Let everything happen whose time has come and that has not happened yet."""
        while self._ahead and self._ahead[0][0].at_us <= until_us:
            moment, entry = self._ahead.pop(0)
            await entry.action.perform(self._stage, moment)


def moments(entries: Sequence[Entry], span: Span) -> list[tuple[Moment, Entry]]:
    """The entries of a timeline with their times, in order of time."""
    placed = [
        (Moment(span.at_us(entry.at_s), span.start_us, span.end_us, order), entry)
        for order, entry in enumerate(entries)
    ]
    return sorted(placed, key=lambda one: one[0].at_us)
