"""Readings of sensitive sensors on their way into the table: one statement a batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.batch import Rows
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.settings import EncryptionKeys
from fleetplatform.timeseries.instants import to_datetime

_queries: Any = load(__file__)


async def write(conn: Connection, rows: Rows, keys: EncryptionKeys) -> None:
    """Store readings of sensitive sensors in the caller's transaction, encrypted.

    Their metadata are encrypted with them; they have no score. Raises
    asyncpg.UniqueViolationError when one is stored already; then none is.
    """
    metadata = [None] * len(rows) if rows.metadata is None else rows.metadata.tolist()
    await _queries.store_sensitive(
        conn,
        high=rows.sensor_high.view(np.int64).tolist(),
        low=rows.sensor_low.view(np.int64).tolist(),
        measured_us=rows.measured_us.tolist(),
        sensor_values=rows.value.tolist(),
        sent_values=np.where(np.isnan(rows.raw), rows.value, rows.raw).tolist(),
        qualities=rows.quality.tolist(),
        metadata=metadata,
        received=to_datetime(rows.received_us),
        key_id=keys.active,
        key=keys.active_key,
    )


async def find_stored(
    conn: Connection, rows: Rows, at: NDArray[np.intp], keys: EncryptionKeys
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Which readings at these positions are stored, and which of those with another value.

    Compared inside the database. A stored value that none of the keys opens counts as the same:
    nothing says that it is not.
    """
    found = [
        row
        async for row in _queries.compare_sensitive(
            conn,
            high=rows.sensor_high[at].view(np.int64).tolist(),
            low=rows.sensor_low[at].view(np.int64).tolist(),
            measured_us=rows.measured_us[at].tolist(),
            sensor_types=rows.sensor_type[at].tolist(),
            sent_values=np.where(np.isnan(rows.raw), rows.value, rows.raw)[at].tolist(),
            key_ids=keys.ids,
            keys=keys.secrets,
        )
    ]
    places = np.array([row["at"] for row in found], dtype=np.intp)
    differs = np.array([row["same"] is False for row in found], dtype=np.bool_)
    return at[places], differs
