"""Readings into the partitions: binary COPY, packed from arrays without a loop over readings.

The format is PostgreSQL's own ("Binary Format" on the reference page of COPY): for each row the
number of fields, then each field's length and bytes, all big-endian; length -1 is null. Rows whose
fields have the same lengths are one structured array, so a batch is a block for each combination of
nulls in it.
"""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.batch import Rows
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.timeseries._metadata import append_metadata

POSTGRES_EPOCH_US = 946_684_800_000_000
"""2000-01-01, from which PostgreSQL counts, in µs since 1970."""

_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_UUID = (("high", ">u8"), ("low", ">u8"))
_FIELDS: tuple[tuple[str, Any], ...] = (
    ("measurement_timestamp", ">i8"),
    ("received_at", ">i8"),
    ("measurement_value", ">f8"),
    ("raw_value", ">f8"),
    ("sensor_id", list(_UUID)),
    ("device_id", list(_UUID)),
    ("organization_id", list(_UUID)),
    ("anomaly_score", ">f4"),
    ("sensor_type", ">i2"),
    ("data_quality", ">i2"),
    ("is_anomaly", "u1"),
)
_COLUMNS = tuple(name for name, _ in _FIELDS)
_METADATA = "measurement_metadata"

_queries: Any = load(__file__)


async def write(conn: Connection, rows: Rows) -> None:
    """Store readings in the caller's transaction; their partitions are there or they stray.

    Raises asyncpg.UniqueViolationError when one is stored already; then none is.
    """
    await write_to(conn, "sensor_data", "iot", rows)


async def write_to(conn: Connection, table: str, schema: str | None, rows: Rows) -> None:
    """Into another table with the same columns; None: a temporary one."""
    columns = _COLUMNS if rows.metadata is None else (*_COLUMNS, _METADATA)
    await conn.copy_to_table(
        table,
        schema_name=schema,
        columns=columns,
        format="binary",
        source=_stream(rows),
    )


async def find_stored(
    conn: Connection, rows: Rows, at: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which of the readings at these positions are stored, and the value each was stored with.

    Returns positions in `rows` and the values as they arrived then.
    """
    found = [
        row
        async for row in _queries.find_stored(
            conn,
            high=rows.sensor_high[at].view(np.int64).tolist(),
            low=rows.sensor_low[at].view(np.int64).tolist(),
            measured_us=rows.measured_us[at].tolist(),
            sensor_types=rows.sensor_type[at].tolist(),
        )
    ]
    places = np.array([row["at"] for row in found], dtype=np.intp)
    values = np.array([row["stored_value"] for row in found], dtype=np.float64)
    return at[places], values


async def _stream(rows: Rows) -> AsyncIterator[Any]:
    yield _SIGNATURE
    for block in pack(rows):
        yield block
    yield _TRAILER


def pack(rows: Rows) -> list[memoryview]:
    """The rows of a binary COPY as blocks of bytes, without signature and trailer."""
    blocks = []
    has_raw, has_score = ~np.isnan(rows.raw), ~np.isnan(rows.score)
    combination = has_raw * 2 + has_score
    for one in np.flatnonzero(np.bincount(combination, minlength=4)).tolist():
        chosen = combination == one
        part = rows if chosen.all() else rows.take(chosen)
        records = _records(part, has_raw=one >= 2, has_score=one % 2 == 1)
        blocks.append(append_metadata(records, part.metadata).data)
    return blocks


def _records(rows: Rows, *, has_raw: bool, has_score: bool) -> NDArray[np.void]:
    """Everything but metadata: one record a row, in which each field follows its length."""
    null = set()
    if not has_raw:
        null.add("raw_value")
    if not has_score:
        null.add("anomaly_score")
    records = np.empty(len(rows), dtype=_layout(null))
    records["fields"] = len(_FIELDS) + (rows.metadata is not None)
    for name, kind in _FIELDS:
        records[f"{name}_length"] = -1 if name in null else np.dtype(kind).itemsize
    records["measurement_timestamp"] = rows.measured_us - POSTGRES_EPOCH_US
    records["received_at"] = rows.received_us - POSTGRES_EPOCH_US
    records["measurement_value"] = rows.value
    if has_raw:
        records["raw_value"] = rows.raw
    if has_score:
        records["anomaly_score"] = rows.score
    for name, high, low in (
        ("sensor_id", rows.sensor_high, rows.sensor_low),
        ("device_id", rows.device_high, rows.device_low),
        ("organization_id", rows.organization_high, rows.organization_low),
    ):
        records[name]["high"] = high
        records[name]["low"] = low
    records["sensor_type"] = rows.sensor_type
    records["data_quality"] = rows.quality
    records["is_anomaly"] = rows.is_anomaly
    return records


def _layout(null: set[str]) -> np.dtype[np.void]:
    parts: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, kind in _FIELDS:
        parts.append((f"{name}_length", ">i4"))
        if name not in null:
            parts.append((name, kind))
    return np.dtype(parts)
