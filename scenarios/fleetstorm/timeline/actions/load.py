"""load: another load from here on: a rate, an interval, a profile, or several of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fleetconf.kinds import Kind
from fleetconf.units import Duration, Rate
from fleetsim.load.change import LoadChange
from fleetstorm.timeline.actions import Moment, Stage


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it was; a rate wins over an interval.

    rate: readings a second of the whole fleet · interval: between two readings of one sensor ·
    profile: begins here · organization: the load of this one alone; a rate is then its own.
    """

    rate: Rate | None = None
    interval: Annotated[Duration, Meta(gt=0)] | None = None
    profile: Annotated[Any, Kind("fleetsim.load.profiles")] | None = None
    organization: str | None = None

    def __post_init__(self) -> None:
        """Refuse an action that changes nothing."""
        if self.rate is None and self.interval is None and self.profile is None:
            raise ValueError("give it a rate, an interval or a profile")

    def orders(self, moment: Moment) -> list[LoadChange]:
        """The change, for the shards' schedules are made in advance."""
        return [
            LoadChange(
                moment.at_us,
                rate=self.rate,
                interval=self.interval,
                profile=self.profile,
                organization=self.organization,
            )
        ]

    async def perform(self, stage: Stage, moment: Moment) -> None:
        """Write down that the load is another one from now on."""
        stage.events.add(
            "load_changed",
            moment.at_us,
            rate=self.rate,
            interval_s=self.interval,
            organization=self.organization,
        )
