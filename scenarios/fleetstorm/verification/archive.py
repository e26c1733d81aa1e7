"""Readings that left the table: those in the archive's files, and the account of those deleted.

A file counts when its readings are in no table any more, so that no reading is counted twice. The
court holds the retention lock meanwhile: nothing moves while it counts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fleetstorm.errors import UsageError
from fleetstorm.verification import table
from fleetstorm.verification.sensors import UNKNOWN, SensorIndex
from fleetstorm.verification.table import OnRows, StoredRows

_COLUMNS = ["sensor_id", "t", "raw", "value"]


@dataclass
class Expired:
    """What retention deleted, of each sensor of the books; `hashes` where `is_hashed`.

    strangers: readings of sensors that the books do not know.
    """

    counts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    is_hashed: NDArray[np.bool_]
    strangers: int


async def hold(connection: Any) -> None:
    """Until the connection is closed, no reading leaves or enters the archive."""
    await table.queries.hold_retention(connection)


async def stream(
    connection: Any, organizations: list[UUID], folder: Path | None, on_rows: OnRows
) -> None:
    """Give every reading of some organizations that is in the archive alone; raises UsageError."""
    for file in await _files(connection, organizations):
        on_rows(_read(folder, file, None))


async def read_sensors(
    connection: Any, organizations: list[UUID], sensors: list[UUID], folder: Path | None
) -> list[StoredRows]:
    """Those of some sensors."""
    ids = pa.array([one.bytes for one in sensors], pa.binary(16))
    return [_read(folder, file, ids) for file in await _files(connection, organizations)]


async def read_expired(connection: Any, organizations: list[UUID], index: SensorIndex) -> Expired:
    """The account of the readings that were deleted."""
    rows = [
        row
        async for row in table.queries.expired_readings(connection, organizations=organizations)
    ]
    ids = [row["sensor_id"].int for row in rows]
    high = np.array([one >> 64 for one in ids], np.uint64)
    low = np.array([one & (2**64 - 1) for one in ids], np.uint64)
    at, counts = index.find(high, low), np.array([row["reading_count"] for row in rows], np.int64)
    known, size = at != UNKNOWN, len(index.hashes)
    expired = Expired(
        np.zeros(size, np.int64), np.zeros(size, np.uint64), np.ones(size, np.bool_),
        int(counts[~known].sum()),
    )  # fmt: skip
    expired.counts[at[known]] = counts[known]
    for row, sensor in zip(rows, at.tolist(), strict=True):
        if sensor != UNKNOWN:
            expired.is_hashed[sensor] = row["readings_hash"] is not None
            expired.hashes[sensor] = int(row["readings_hash"] or 0)
    return expired


async def _files(connection: Any, organizations: list[UUID]) -> list[str]:
    found = table.queries.archived_files(connection, organizations=organizations)
    return [row["file"] async for row in found]


def _read(folder: Path | None, file: str, sensors: pa.Array | None) -> StoredRows:
    if folder is None:
        raise UsageError(
            "readings are archived: give platform.archive.folder, where the platform keeps them,"
            " or verify=false for a run that proves nothing"
        )
    try:
        rows = pq.read_table(folder / file, columns=_COLUMNS, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        said = str(error).partition("\n")[0]
        raise UsageError(f"the archive file {folder / file} cannot be read: {said}") from error
    ids = rows["sensor_id"].cast(pa.binary(16))
    if sensors is not None:
        chosen = pa.compute.is_in(ids, value_set=sensors)
        rows, ids = rows.filter(chosen), ids.filter(chosen)
    words = np.frombuffer(b"".join(ids.to_pylist()), dtype=">u8").reshape(-1, 2)
    value = rows["value"].to_numpy().astype(np.float64)
    raw = rows["raw"].to_numpy().astype(np.float64)
    return StoredRows(
        words[:, 0].astype(np.uint64),
        words[:, 1].astype(np.uint64),
        rows["t"].cast(pa.int64()).to_numpy().astype(np.int64),
        np.where(np.isnan(raw), value, raw),
        value,
    )
