"""Readings into the partitions: one binary COPY a batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.batch import Rows
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.timeseries import binary
from fleetplatform.timeseries._metadata import append_metadata
from fleetplatform.timeseries.binary import POSTGRES_EPOCH_US, UUID_FIELD

TABLE = "sensor_data"

_FIELDS: tuple[tuple[str, Any], ...] = (
    ("measurement_timestamp", ">i8"),
    ("received_at", ">i8"),
    ("measurement_value", ">f8"),
    ("raw_value", ">f8"),
    ("sensor_id", UUID_FIELD),
    ("device_id", UUID_FIELD),
    ("organization_id", UUID_FIELD),
    ("anomaly_score", ">f4"),
    ("sensor_type", ">i2"),
    ("data_quality", ">i2"),
    ("is_anomaly", "u1"),
)
_COLUMNS = tuple(name for name, _ in _FIELDS)
_METADATA = "measurement_metadata"

_queries: Any = load(__file__)


async def write(conn: Connection, rows: Rows, table: str = TABLE) -> None:
    """Store readings in the caller's transaction; their partitions are there or they stray.

    `table` is `Partitions.table`: a layout whose sensor_data is a view takes them elsewhere.

    Raises asyncpg.UniqueViolationError when one is stored already; then none is.
    """
    await write_to(conn, table, "iot", rows)


async def write_to(conn: Connection, table: str, schema: str | None, rows: Rows) -> None:
    """Into another table with the same columns; None: a temporary one."""
    columns = _COLUMNS if rows.metadata is None else (*_COLUMNS, _METADATA)
    await binary.copy(conn, table, columns, pack(rows), schema)


async def find_stored(
    conn: Connection, rows: Rows, at: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Which of the readings at these positions are stored, and the value each was stored with.

    Returns positions in `rows` and the values as they arrived then.
    """
    found = await _queries.find_stored(
        conn,
        high=rows.sensor_high[at].view(np.int64).tolist(),
        low=rows.sensor_low[at].view(np.int64).tolist(),
        measured_us=rows.measured_us[at].tolist(),
        sensor_types=rows.sensor_type[at].tolist(),
    )
    places = np.array(found["at"], dtype=np.intp)
    values = np.array(found["stored_value"], dtype=np.float64)
    return at[places], values


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
    """Everything but metadata."""
    columns = {
        "measurement_timestamp": rows.measured_us - POSTGRES_EPOCH_US,
        "received_at": rows.received_us - POSTGRES_EPOCH_US,
        "measurement_value": rows.value,
        "raw_value": rows.raw if has_raw else None,
        "sensor_id": (rows.sensor_high, rows.sensor_low),
        "device_id": (rows.device_high, rows.device_low),
        "organization_id": (rows.organization_high, rows.organization_low),
        "anomaly_score": rows.score if has_score else None,
        "sensor_type": rows.sensor_type,
        "data_quality": rows.quality,
        "is_anomaly": rows.is_anomaly,
    }
    more = int(rows.metadata is not None)
    return binary.records(_FIELDS, columns, len(rows), more=more)
