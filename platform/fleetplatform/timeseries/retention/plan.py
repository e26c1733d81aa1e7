"""What is due: whole partitions, and parts of those of which the rest stays.

A partition is due when everything in it is. Where policies differ inside one, what is due of it
leaves row by row. Policies wait for the end of a partition's span; the quota storage_days does not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load

WHOLE_TABLE = "sensor_data"

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of sensor_data: a partition, or a month of a table that has none."""

    relation: str
    start: datetime
    end: datetime

    @property
    def is_partition(self) -> bool:
        """Whether it can be taken out as a whole."""
        return self.relation != WHOLE_TABLE


@dataclass(frozen=True, slots=True)
class Group:
    """Readings of an organization and a type in a span that have the same to come.

    action: None: they stay · sensors: None: all of the organization's of this type.
    """

    organization_id: UUID
    sensor_type: int
    action: str | None
    keep_days: int | None
    is_quota: bool
    sensors: list[UUID] | None
    reading_count: int
    first_at: datetime
    sealed_count: int
    is_pinned: bool

    def due_until(self, today: date, end: datetime) -> datetime | None:
        """Readings before this are due; None: none is."""
        if self.action is None or self.keep_days is None or self.is_pinned:
            return None
        cut = min(_midnight(today - timedelta(days=self.keep_days)), end)
        ends = cut == end or self.is_quota
        sealed = self.action == "archive" and self.sealed_count == self.reading_count
        return cut if ends and cut > self.first_at and not sealed else None

    def is_whole(self, today: date, end: datetime) -> bool:
        """Whether every reading of it is due."""
        sealed = self.action == "archive" and self.sealed_count > 0
        return self.due_until(today, end) == end and not sealed


async def survey(conn: Connection, relation: str, start: datetime, end: datetime) -> list[Group]:
    """What a relation holds, each sensor in one group."""
    rows = [
        row async for row in _queries.survey(conn, relation=relation, span_from=start, span_to=end)
    ]
    kinds = [(row["organization_id"], row["sensor_type"]) for row in rows]
    return [
        Group(**{**row, "sensors": row["sensors"] if kinds.count(kind) > 1 else None})
        for row, kind in zip(rows, kinds, strict=True)
    ]


async def split(
    conn: Connection, relation: str, group: Group, span: tuple[datetime, datetime], rows_max: int
) -> list[tuple[datetime, datetime]]:
    """A span in pieces of whole hours with about so many readings at most in each."""
    if group.reading_count <= rows_max:
        return [span]
    hours = [
        (row["hour_at"], row["reading_count"])
        async for row in _queries.by_hour(
            conn,
            relation=relation,
            span_from=span[0],
            span_to=span[1],
            organization_id=group.organization_id,
            sensor_type=group.sensor_type,
            sensors=group.sensors,
        )
    ]
    edges = [span[0], *_cuts(hours, rows_max), span[1]]
    return list(pairwise(edges))


def _cuts(hours: Sequence[tuple[datetime, int]], rows_max: int) -> Iterator[datetime]:
    held = 0
    for hour, count in hours:
        if held and held + count > rows_max:
            yield hour
            held = 0
        held += count


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
