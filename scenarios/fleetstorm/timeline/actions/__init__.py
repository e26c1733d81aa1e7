"""What can happen in a timeline, one file an action.

An action is a module with a struct `Settings`: its keys in YAML, and what it does. To add one, add
a file; the name of the file is the word of the timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

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
    """What an action can reach while the load is on: the fleet, the run's journal."""

    fleet: Fleet
    events: EventLog


class Action(Protocol):
    """orders → (the load begins, virtual time reaches the entry) → perform."""

    def orders(self, moment: Moment) -> Sequence[Order]:
        """What the shards must know before the load begins; pure, so it can be tried out."""

    async def perform(self, stage: Stage, moment: Moment) -> None:
        """When its time has come: do it, and write it into the journal."""
