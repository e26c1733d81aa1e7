"""watch_partitions: look at the partitions while virtual time goes from one span to the next."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from fleetconf.units import Duration
from fleetsim.shard.sensing import Order
from fleetstorm.errors import InfrastructureError
from fleetstorm.timeline.actions import Moment, Stage
from fleetstorm.timeline.partitions import PartitionSpan, Watch, connected, count_rows


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """for: how long; a span must end meanwhile, and readings of the next one must be stored."""

    for_: Annotated[Duration, Meta(gt=0)] = msgspec.field(name="for")

    needs_partitions: ClassVar[bool] = True

    def orders(self, moment: Moment) -> list[Order]:
        """Nothing: it only looks."""
        return []

    async def perform(self, stage: Stage, moment: Moment) -> None:
        """Begin to look; goes on beside the load."""
        stage.go_on(self._watch(stage, moment))

    async def _watch(self, stage: Stage, moment: Moment) -> None:
        """Raises InfrastructureError if no span began, or nothing of it was stored."""
        until_us = min(moment.end_us, moment.at_us + round(self.for_ * 1e6))
        watch = Watch()
        async with connected(stage.database, "watch_partitions") as conn:
            await watch.look_until(conn, stage.law, until_us)
            begun = [one for one in watch.spans if moment.at_us < one.lower_us < until_us]
            taken = [await _taken(conn, watch, span) for span in begun]
        if not any(sum(one["rows"].values()) for one in taken):
            raise InfrastructureError(
                "watch_partitions did not see a partition begin and take readings: choose start,"
                " at and for so that a span of the layout ends meanwhile"
            )
        for one in taken:
            stage.events.add("partition_rolled", until_us, **one, strayed=watch.strayed_max)
        stage.found["partitions"] = stage.found.get("partitions", {}) | {
            "begun": len(taken),
            "late": sum(len(one["late"]) for one in taken),
            "strayed_max": watch.strayed_max,
        }


async def _taken(conn: Any, watch: Watch, span: PartitionSpan) -> dict[str, Any]:
    """What a partition took: rows by leaf, and the leaves that were not there in time."""
    rows = {leaf: n for leaf, n in (await count_rows(conn, list(span.leaves))).items() if n}
    late = [leaf for leaf in rows if watch.first_seen_us[leaf] >= span.lower_us]
    return {"partition": span.name, "begins_us": span.lower_us, "rows": rows, "late": late}
