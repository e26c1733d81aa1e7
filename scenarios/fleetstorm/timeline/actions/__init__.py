"""What can happen in a timeline, one file an action.

An action is a module with a struct `Settings`: its keys in YAML, and what it does. To add one, add
a file; the name of the file is the word of the timeline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fleetstorm.results.events import EventLog

if TYPE_CHECKING:
    from fleetsim.fleet import Fleet


@dataclass(frozen=True)
class Stage:
    """What an action can reach: the fleet, the run's journal, the end of the load."""

    fleet: Fleet
    events: EventLog
    end_us: int


class Action(Protocol):
    """Both are given the virtual time of the entry and the entry's place in the timeline.

    plan → (the load begins, virtual time reaches the entry) → perform.
    """

    async def plan(self, stage: Stage, at_us: int, order: int) -> None:
        """Before the load: tell whoever must know beforehand, such as the shards."""

    async def perform(self, stage: Stage, at_us: int, order: int) -> None:
        """When its time has come: do it, and write it into the journal."""
