"""What sensor_data is made of, for whoever keeps the database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import DatabaseError

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class PartitionInfo:
    """One partition, or the whole table where it has none.

    bounds: what it holds, as PostgreSQL says it; empty for a whole table · rows: as the statistics
    have it, an estimate · dead_share: of rows that wait for vacuum · bloat_share: of the heap that
    its rows do not need, estimated from their mean width, None where nothing was analysed yet ·
    age: virtual time since its span ended, negative before; None for a default partition and a
    whole table.
    """

    name: str
    bounds: str
    rows: int
    dead_share: float
    bloat_share: float | None
    table_bytes: int
    index_bytes: int
    age: timedelta | None


async def layout(conn: Connection) -> Any:
    """How sensor_data is stored: kind and indexes; raises DatabaseError before that is decided."""
    found = await _queries.storage_layout(conn)
    if found is None:
        raise DatabaseError("the database has no storage for readings: prepare it with fleetstorm")
    return found


async def partitions(conn: Connection) -> list[PartitionInfo]:
    """Every partition that may hold rows, in order of name."""
    return [_info(row) async for row in _queries.partitions(conn)]


def _info(row: Any) -> PartitionInfo:
    live, dead = row["live_rows"], row["dead_rows"]
    return PartitionInfo(
        name=row["name"],
        bounds=row["bounds"] or "",
        rows=max(live, row["planned_rows"]),
        dead_share=dead / (live + dead) if dead else 0.0,
        bloat_share=_bloat(row["heap_bytes"], row["needed_bytes"]),
        table_bytes=row["table_bytes"],
        index_bytes=row["index_bytes"],
        age=row["age"],
    )


def _bloat(heap_bytes: int, needed_bytes: int | None) -> float | None:
    if needed_bytes is None:
        return None
    return max(0.0, 1 - needed_bytes / heap_bytes) if heap_bytes else 0.0
