"""What can happen in a timeline, one file an action.

An action is a module with a struct `Settings`: its keys in YAML, and what it does. To add one, add
a file; the name of the file is the word of the timeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from fleetplatform.wire.clock import ClockLaw
from fleetstorm.results.events import EventLog

if TYPE_CHECKING:
    from fleetsim.fleet import Fleet
    from fleetsim.shard.sensing import Order


@dataclass(frozen=True)
class Moment:
    """When an entry of a timeline happens, in virtual time.

    start_us, end_us: when the load begins and is over · order: the entry's place in the timeline.
    """

    at_us: int
    start_us: int
    end_us: int
    order: int


@dataclass(frozen=True)
class Stage:
    """What an action can reach while the load is on.

    fleet, events: of the run · law: of virtual time · database: URL of an owner of the platform's
    database, None where the run has none · found: parts of the summary that actions fill in.
    """

    fleet: Fleet
    events: EventLog
    law: ClockLaw
    database: str | None = None
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def go_on(self, work: Coroutine[Any, Any, None]) -> None:
        """Have what takes a while done beside the load; the load's end waits for it."""
        self.tasks.append(asyncio.create_task(work))

    def check(self) -> None:
        """Raise the error of the first that has failed by now."""
        for task in self.tasks:
            if task.done():
                task.result()

    async def settle(self) -> None:
        """Wait until all of it is done; raises the first error."""
        await asyncio.gather(*self.tasks)

    async def abandon(self) -> None:
        """End what still goes on."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Action(Protocol):
    """orders → (the load begins, virtual time reaches the entry) → perform."""

    def orders(self, moment: Moment) -> Sequence[Order]:
        """What the shards must know before the load begins; pure, so it can be tried out."""

    async def perform(self, stage: Stage, moment: Moment) -> None:
        """When its time has come: do it, and write it into the journal."""
