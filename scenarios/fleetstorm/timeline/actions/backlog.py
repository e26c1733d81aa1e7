"""backlog: devices that come back after a long time deliver what they measured meanwhile."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from fleetconf.units import Duration, Share
from fleetsim.errors import PlanError
from fleetsim.load.backlog import Backlog
from fleetstorm.timeline.actions import Moment, Stage


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Readings of the time before the load began, oldest first, beside the load.

    share: of the devices, drawn from the seed · of: how far back the readings go · interval:
    between two of one sensor · within: how long their delivery takes, spread evenly.
    """

    share: Share
    of: Annotated[Duration, Meta(gt=0)]
    interval: Annotated[Duration, Meta(gt=0)]
    within: Annotated[Duration, Meta(gt=0)]

    def orders(self, moment: Moment) -> list[Backlog]:
        """The backlog, of which each shard makes its devices' part."""
        within_us = max(1, round(self.within * 1e6))
        if moment.at_us + within_us > moment.end_us:
            raise PlanError("within: the load ends before all of it is delivered")
        return [
            Backlog(
                at_us=moment.at_us,
                within_us=within_us,
                since_us=moment.start_us - round(self.of * 1e6),
                until_us=moment.start_us,
                interval=self.interval,
                share=self.share,
                order=moment.order,
            )
        ]

    async def perform(self, stage: Stage, moment: Moment) -> None:
        """Write down that the delivery begins."""
        stage.events.add(
            "backlog",
            moment.at_us,
            share=self.share,
            since_us=moment.start_us - round(self.of * 1e6),
            until_us=moment.start_us,
            delivered_us=moment.at_us + round(self.within * 1e6),
        )
