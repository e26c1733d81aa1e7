"""Stored readings calibrated again, piece by piece."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Piece:
    """What was done: readings up to `done_through` (None: there was none), how many changed."""

    done_through: datetime | None
    rows_seen: int
    rows_changed: int


async def recalibrate(
    conn: Connection,
    organization: UUID,
    sensor: UUID,
    after: datetime,
    before: datetime,
    rows_max: int,
) -> Piece:
    """The next `rows_max` readings of a sensor measured after and before two times, in order.

    In the caller's transaction; by the calibrations that are committed. Value, raw value and the
    bits range and uncalibrated become what they would be if the readings came now.
    """
    row = await _queries.recalibrate(
        conn,
        organization_id=organization,
        sensor_id=sensor,
        measured_after=after,
        measured_before=before,
        rows_max=rows_max,
    )
    return Piece(row["done_through"], row["rows_seen"], row["rows_changed"])
