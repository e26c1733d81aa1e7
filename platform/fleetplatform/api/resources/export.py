"""Readings taken away: as an Arrow stream, a Parquet file or CSV."""

import io
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal
from uuid import UUID

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from litestar import get
from litestar.response import Stream

from fleetplatform.analytics import export
from fleetplatform.analytics.anomalies import code_of
from fleetplatform.analytics.choice import Choice, Span
from fleetplatform.api.access import Context
from fleetplatform.api.parameters import Since, Until
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE

Format = Literal["arrow", "parquet", "csv"]
MEDIA_TYPES: dict[Format, str] = {
    "arrow": ARROW_MEDIA_TYPE,
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
}


@get("/v1/export", opt={"answers": tuple(MEDIA_TYPES.values())})
async def export_readings(
    since_us: Since,
    until_us: Until,
    tenant: Tenant,
    context: Context,
    format: Format = "arrow",
    sensor_id: UUID | None = None,
    device_id: UUID | None = None,
    group_id: UUID | None = None,
    sensor_type: str | None = None,
) -> Stream:
    """All readings of a span, or those of one sensor, device, group or type, as they stream in."""
    choice = Choice(sensor_id, device_id, group_id, code_of(sensor_type))
    span, folder = Span(since_us, until_us), context.archive.folder
    old = await export.find_archived(context.pool, tenant, span, choice, folder)
    found = export.batches(context.pool, tenant, span, choice, old)
    return Stream(_encoded(found, format), media_type=MEDIA_TYPES[format])


async def _encoded(found: AsyncIterator[pa.RecordBatch], kind: Format) -> AsyncIterator[bytes]:
    """Batches as the bytes of a file, each sent as soon as it is there."""
    pipe = _Pipe()
    writer = _WRITERS[kind](pipe)
    async for batch in found:
        writer.write_batch(_readable(batch) if kind == "csv" else batch)
        yield pipe.take()
    writer.close()
    yield pipe.take()


class _Pipe(io.RawIOBase):
    """A file that is only appended to, and emptied while it is written."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> int:
        """Append; returns how much."""
        self._written.append(bytes(data))
        self._size += len(self._written[-1])
        return len(self._written[-1])

    def tell(self) -> int:
        """How much was written in all."""
        return self._size

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken


def _readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With ids as text."""
    columns = [
        _as_text(column) if pa.types.is_fixed_size_binary(column.type) else column
        for column in batch.columns
    ]
    return pa.record_batch(columns, schema=_TEXT)


def _as_text(ids: pa.Array) -> pa.Array:
    """Each id is spelled once, however many readings it has."""
    packed = ids.dictionary_encode()
    spelled = [str(UUID(bytes=one)) for one in packed.dictionary.to_pylist()]
    return pa.array(spelled, pa.string()).take(packed.indices)


_TEXT = pa.schema(
    [
        field.with_type(pa.string()) if pa.types.is_fixed_size_binary(field.type) else field
        for field in export.schema()
    ]
)
_WRITERS: dict[Format, Callable[[_Pipe], Any]] = {
    "arrow": lambda pipe: pa.ipc.new_stream(pipe, export.schema()),
    "parquet": lambda pipe: pyarrow.parquet.ParquetWriter(
        pipe, export.schema(), compression="zstd"
    ),
    "csv": lambda pipe: pyarrow.csv.CSVWriter(pipe, _TEXT),
}
handlers = [export_readings]
