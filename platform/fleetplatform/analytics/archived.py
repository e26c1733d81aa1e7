"""Readings that are in the archive alone, as an answer to who may see them.

Which files there are is read under row level security, and so is which devices somebody sees who is
limited to groups of them. pyarrow leaves out row groups by their statistics.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from fleetplatform.analytics.choice import BATCH_ROWS, SCHEMA, Choice, Span
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import ConflictError

_ID = pa.binary(16)
_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Archived:
    """What of the archive answers a question; empty without files."""

    files: tuple[Path, ...]
    condition: Any
    folder: str | None = None

    def beyond(self, earlier: "Archived") -> "Archived":
        """The files that an earlier look did not find."""
        return replace(self, files=tuple(one for one in self.files if one not in earlier.files))

    async def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """The readings, file by file, each in order of sensor and time. Raises ConflictError."""
        source = self._batches()
        while (batch := await asyncio.to_thread(next, source, None)) is not None:
            yield batch

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for file in self.files:
            try:
                scanner = ds.dataset(file, format="parquet").scanner(
                    columns=SCHEMA.names, filter=self.condition, batch_size=BATCH_ROWS
                )
                for batch in scanner.to_batches():
                    if len(batch):
                        yield batch.cast(SCHEMA)
            except (OSError, pa.ArrowException) as error:
                raise _unreadable() from error

    async def columns(
        self, rows_max: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Times in µs and values, no more than `rows_max` and a batch of them."""
        times, values, held = [np.zeros(0, np.int64)], [np.zeros(0)], 0
        async for batch in self.batches():
            times.append(batch["t"].cast(pa.int64()).to_numpy())
            values.append(batch["value"].to_numpy())
            held += len(batch)
            if held > rows_max:
                break
        return np.concatenate(times), np.concatenate(values)


async def find(
    conn: Connection, folder: str | None, span: Span, choice: Choice, *, is_limited: bool
) -> Archived:
    """In a transaction of the tenant's. Raises ConflictError where a file is not there.

    is_limited: the tenant sees some groups of devices alone.
    """
    rows = _queries.archived_files(
        conn, **span.bounds, sensor_type=choice.sensor_type, sensor_id=choice.sensor_id
    )
    names = [row["file"] async for row in rows]
    if not names:
        return Archived((), None, folder)
    if folder is None:
        raise _unreadable()
    files = tuple(Path(folder) / name for name in names)
    if not await asyncio.to_thread(lambda: all(file.exists() for file in files)):
        raise _unreadable()
    devices = None
    if is_limited or choice.group_id is not None:
        found = _queries.devices_seen(conn, group_id=choice.group_id)
        devices = [row["device_id"] async for row in found]
    return Archived(files, _condition(span, choice, devices), folder)


def _condition(span: Span, choice: Choice, devices: list[UUID] | None) -> Any:
    since, until = (
        pa.scalar(us, pa.int64()).cast(pa.timestamp("us", "UTC"))
        for us in (span.since_us, span.until_us)
    )
    condition = (pc.field("t") >= since) & (pc.field("t") < until)
    for name, one in (("sensor_id", choice.sensor_id), ("device_id", choice.device_id)):
        if one is not None:
            condition &= pc.field(name) == pa.scalar(one.bytes, _ID)
    if devices is not None:
        seen = pa.array([one.bytes for one in devices], _ID)
        condition &= pc.field("device_id").isin(seen)
    return condition


def _unreadable() -> ConflictError:
    return ConflictError(
        "a file of the archive with such readings is missing or damaged: the platform's operator"
        " puts it back",
        code="archive_unreadable",
    )
