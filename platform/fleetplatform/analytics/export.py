"""All readings of a span, one batch after another, so that any number can be taken away.

Each batch is a transaction of its own: whoever reads slowly keeps no connection, and what comes in
meanwhile may be in a later batch. Rows come in order of sensor and time.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from fleetplatform.analytics import archived
from fleetplatform.analytics.archived import Archived
from fleetplatform.analytics.choice import BATCH_ROWS, SCHEMA, Choice, Span
from fleetplatform.database import packed
from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.timeseries.instants import EARLIEST, to_datetime

_queries: Any = load(__file__)


async def batches(
    pool: Pool, tenant: Tenant, span: Span, choice: Choice, old: Archived
) -> AsyncIterator[pa.RecordBatch]:
    """The readings that the tenant sees, BATCH_ROWS at a time; an empty batch where there is none.

    Columns: sensor_id, device_id (16 bytes), t, received (µs, UTC), value, raw (null: value is what
    arrived), quality (bits), is_anomaly, score (null: none). Those of the archive come
    first; what is archived meanwhile comes last, and some of it may have come before.
    """
    async for batch in old.batches():
        yield batch
    after: tuple[UUID, Any] = (UUID(int=0), EARLIEST)
    while True:
        async with transaction(pool, tenant) as conn:
            row = await _queries.export(
                conn,
                **span.bounds,
                sensor_id=choice.sensor_id,
                device_id=choice.device_id,
                group_id=choice.group_id,
                sensor_type=choice.sensor_type,
                after_sensor=after[0],
                after_time=after[1],
                count=BATCH_ROWS,
            )
        yield _batch(row)
        if row["reading_count"] < BATCH_ROWS:
            break
        last_us = int(packed.times_us(row["times"][-8:])[0])
        after = (UUID(bytes=row["sensors"][-16:]), to_datetime(last_us))
    new = await find_archived(pool, tenant, span, choice, old.folder)
    async for batch in new.beyond(old).batches():
        yield batch


async def find_archived(
    pool: Pool, tenant: Tenant, span: Span, choice: Choice, folder: str | None
) -> Archived:
    """What of the archive belongs to an export; raises ConflictError where a file is not there."""
    async with transaction(pool, tenant) as conn:
        is_limited = tenant.device_groups is not None
        return await archived.find(conn, folder, span, choice, is_limited=is_limited)


def schema() -> pa.Schema:
    """The columns of every batch."""
    return SCHEMA


def _batch(row: Any) -> pa.RecordBatch:
    """Columns as they came packed, without a loop over readings."""
    raw, score = packed.floats(row["raw_values"]), np.frombuffer(row["scores"], dtype=">f4")
    columns = [
        _ids(row["sensors"]),
        _ids(row["devices"]),
        pa.array(packed.times_us(row["times"]), pa.timestamp("us", "UTC")),
        pa.array(packed.times_us(row["received"]), pa.timestamp("us", "UTC")),
        pa.array(packed.floats(row["values"])),
        pa.array(raw, mask=np.isnan(raw)),
        pa.array(np.frombuffer(row["qualities"], dtype=">i2").astype(np.int16)),
        pa.array(np.frombuffer(row["anomalies"], dtype=np.bool_)),
        pa.array(score.astype(np.float32), mask=np.isnan(score)),
    ]
    return pa.record_batch(columns, schema=SCHEMA)


def _ids(column: bytes) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(column) // 16, [None, pa.py_buffer(column)]
    )
