"""Layouts of sensor_data, one file each: `LAYOUT` says how the table is cut.

A layout is a few facts: the SQL functions of this room read them in `iot.storage_layout`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg

from fleetconf import kinds
from fleetplatform.database.queries import load
from fleetplatform.errors import LayoutError, SettingsError
from fleetplatform.settings import LayoutSettings

INDEXES = ("time_brin", "time_bucket", "device_time", "metadata_gin")
"""Indexes that may stand beside the unique key (sensor_id, measurement_timestamp)."""

INDEX_SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"minimal": (), "standard": ("time_brin",), "full": INDEXES}
)

_queries: Any = load(str(Path(__file__).parent))


@dataclass(frozen=True, slots=True)
class Layout:
    """How the table is cut.

    range_unit: month or day, the span of a partition; None: one plain table · split_by_type: each
    span is a partition for each sensor type · of_document: with the source document's columns
    data_id (its primary key, with the time) and hour_bucket · extension: that cuts the table in its
    own way, and must be on the server.
    """

    range_unit: str | None
    split_by_type: bool = False
    of_document: bool = False
    extension: str | None = None


def extension_of(settings: LayoutSettings) -> str | None:
    """The extension of PostgreSQL that a layout needs; SettingsError for one that is not there."""
    return _find(settings.kind).extension


async def make_storage(conn: asyncpg.Connection, settings: LayoutSettings) -> tuple[str, ...]:
    """Make sensor_data in that layout, or find it made; by the owner. Gives its indexes' names.

    An empty table of another layout is made anew. Raises LayoutError if it holds readings, and
    SettingsError for a layout or an index that does not exist.
    """
    layout, indexes = _find(settings.kind), _chosen(settings)
    async with conn.transaction():
        present = await _queries.storage_layout(conn)
        if present is not None:
            if (present["kind"], set(present["indexes"])) == (settings.kind, set(indexes)):
                return indexes
            if await _queries.has_readings(conn):
                raise LayoutError(_refusal(present, settings.kind, indexes))
            await _queries.drop_storage(conn)
        await _queries.make_storage(
            conn,
            kind=settings.kind,
            range_unit=layout.range_unit,
            split_by_type=layout.split_by_type,
            of_document=layout.of_document,
            indexes=list(indexes),
        )
        if layout.extension is not None:
            await _queries.make_hypertable(conn, extension=layout.extension)
    return indexes


def _find(kind: str) -> Layout:
    known = kinds.names(__name__)
    if kind not in known:
        raise SettingsError(
            f"platform.layout.kind: no layout {kind!r}; there are {', '.join(known)}"
        )
    layout: Layout = kinds.load(__name__, kind).LAYOUT
    return layout


def _chosen(settings: LayoutSettings) -> tuple[str, ...]:
    """The indexes by name, in the order of INDEXES."""
    if isinstance(settings.indexes, str):
        return INDEX_SETS[settings.indexes]
    unknown = sorted(set(settings.indexes) - set(INDEXES))
    if unknown:
        raise SettingsError(
            f"platform.layout.indexes: no index {unknown[0]!r}; there are {', '.join(INDEXES)},"
            f" and the sets {', '.join(INDEX_SETS)}"
        )
    return tuple(name for name in INDEXES if name in settings.indexes)


def _refusal(present: Mapping[str, Any], kind: str, indexes: tuple[str, ...]) -> str:
    return (
        f"sensor_data holds readings in layout {present['kind']} with indexes"
        f" [{', '.join(present['indexes'])}], and {kind} with [{', '.join(indexes)}] is asked for:"
        " use another database, or the layout that is there"
    )
