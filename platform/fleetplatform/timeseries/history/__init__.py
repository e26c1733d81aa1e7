"""Readings of long ago, made up in the database itself, so that a table is as full as it would be.

Entry: `write`, as the database's owner. For measurements alone: no device has sent them, and the
registry knows none of their sensors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import DatabaseError

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class History:
    """A reading of each type from each device, every `step`, in [since, until).

    sensor_types: codes of the catalogue.
    """

    organization_id: UUID
    devices: int
    sensor_types: Sequence[int]
    since: datetime
    until: datetime
    step: timedelta


async def write(conn: Connection, history: History) -> None:
    """Write a history day by day; raises DatabaseError where a partition cannot be made."""
    span = {"sensor_types": list(history.sensor_types)}
    made = await _queries.ensure_partitions(
        conn, **span, since=history.since, until=history.until - timedelta(microseconds=1)
    )
    if not made:
        raise DatabaseError("a partition for the history of readings could not be made")
    since = history.since
    steps = max(1, timedelta(days=1) // history.step)
    while since < history.until:
        until = min(history.until, since + steps * history.step)
        await _queries.write(
            conn,
            **span,
            organization_id=history.organization_id,
            devices=history.devices,
            since=since,
            until=until,
            step=history.step,
        )
        since = until
    await conn.execute("vacuum (analyze) iot.sensor_data")
