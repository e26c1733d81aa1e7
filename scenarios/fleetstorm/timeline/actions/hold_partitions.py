"""hold_partitions: take the next partition away, and keep it from being made for a while."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import asyncpg
import msgspec
from msgspec import Meta

from fleetconf.units import Duration
from fleetsim.shard.sensing import Order
from fleetstorm.errors import InfrastructureError
from fleetstorm.timeline.actions import Moment, Stage
from fleetstorm.timeline.partitions import (
    PartitionSpan,
    Watch,
    connected,
    count_rows,
    queries,
    read_spans,
)

_TRIES_MAX = 10


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """for: how long; the span that is next at that time must begin meanwhile.

    What keeps it from being made is a lock on the default partition, such as a query of all
    readings holds.
    """

    for_: Annotated[Duration, Meta(gt=0)] = msgspec.field(name="for")

    needs_partitions: ClassVar[bool] = True

    def orders(self, moment: Moment) -> list[Order]:
        """Nothing that concerns the fleet."""
        return []

    async def perform(self, stage: Stage, moment: Moment) -> None:
        """Take it away at once; the lock is held beside the load."""
        stage.go_on(self._hold(stage, moment))

    async def _hold(self, stage: Stage, moment: Moment) -> None:
        """Raises InfrastructureError if it did not bite: no reading came to a default partition."""
        until_us = min(moment.end_us, moment.at_us + round(self.for_ * 1e6))
        watch = Watch()
        async with (
            connected(stage.database, "hold_partitions") as holder,
            connected(stage.database, "hold_partitions") as looker,
        ):
            await queries.limit_waiting(holder)
            span = await _take_away(holder, looker, moment.at_us)
            refused = await _refusal(looker)
            stage.events.add(
                "partitions_held", stage.law.now_us(), partition=span.name, sqlstate=refused
            )
            await watch.look_until(looker, stage.law, until_us)
            await holder.execute("rollback")
            stage.events.add(
                "partitions_released", stage.law.now_us(), partition=span.name,
                strayed=watch.strayed_max,
            )  # fmt: skip
        if not watch.strayed_max:
            raise InfrastructureError(
                f"hold_partitions did not bite: no reading came while {span.name} was away; choose"
                " start, at and for so that its span begins meanwhile"
            )
        found = stage.found.setdefault("partitions", {})
        found["strayed_max"] = max(found.get("strayed_max", 0), watch.strayed_max)


async def _take_away(holder: Any, looker: Any, now_us: int) -> PartitionSpan:
    """Drop the next partition, and have the lock of `holder` before anybody has made it again."""
    span = next((one for one in await read_spans(looker) if one.lower_us > now_us), None)
    if span is None:
        raise InfrastructureError("hold_partitions: there is no partition ahead to take away")
    for _ in range(_TRIES_MAX):
        if any((await count_rows(looker, list(span.leaves))).values()):
            raise InfrastructureError(f"hold_partitions: {span.name} holds readings already")
        await holder.execute(await queries.drop_statement(holder, name=span.name))
        await holder.execute("begin")
        await queries.keep_default(holder)
        again = next((one for one in await read_spans(looker) if one.name == span.name), None)
        if again is None:
            return span
        await holder.execute("rollback")
        span = again
    raise InfrastructureError(f"hold_partitions: {span.name} was made again each time")


async def _refusal(looker: Any) -> str:
    """The SQLSTATE that whoever makes a partition gets now."""
    try:
        async with looker.transaction():
            await queries.take_default(looker)
    except asyncpg.LockNotAvailableError as error:
        return str(error.sqlstate)
    raise InfrastructureError("hold_partitions did not bite: the default partition is not locked")
