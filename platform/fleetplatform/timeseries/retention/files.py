"""The archive on disk: a Parquet file for each manifest, in folders by sensor type and month.

Rows are in order of sensor and time. Ids are dictionaries, and so are values, for a sensor has a
resolution (pyarrow writes plain what has too many); measurement times are DELTA_BINARY_PACKED,
scores BYTE_STREAM_SPLIT; all of it zstd. docs/retention.md has the columns and what each costs.
"""

import hashlib
import os
import secrets
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fleetplatform.errors import ArchiveError
from fleetplatform.timeseries.retention.digest import hash_sensors
from fleetplatform.timeseries.retention.rows import Readings

ROW_GROUP_ROWS = 100_000
_ID = pa.binary(16)
_TIME = pa.timestamp("us", "UTC")
SCHEMA = pa.schema(
    [
        pa.field("organization_id", pa.dictionary(pa.int32(), _ID), nullable=False),
        pa.field("sensor_type", pa.int16(), nullable=False),
        pa.field("sensor_id", pa.dictionary(pa.int32(), _ID), nullable=False),
        pa.field("device_id", pa.dictionary(pa.int32(), _ID), nullable=False),
        pa.field("t", _TIME, nullable=False),
        pa.field("received", _TIME, nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("raw", pa.float64()),
        pa.field("quality", pa.int16(), nullable=False),
        pa.field("is_anomaly", pa.bool_(), nullable=False),
        pa.field("score", pa.float32()),
        pa.field("metadata", pa.string()),
    ]
)
DICTIONARIES = [
    "organization_id", "sensor_type", "sensor_id", "device_id", "quality", "metadata", "received",
    "value", "raw",
]  # fmt: skip
ENCODINGS = {"t": "DELTA_BINARY_PACKED", "score": "BYTE_STREAM_SPLIT"}
_TIME_BITS = 42
_CODES_MAX = 1 << (63 - _TIME_BITS)

Metadata = dict[tuple[UUID, int], str]
"""What devices said beside readings, by sensor and time in µs."""


def path_of(manifest: Any) -> str:
    """Where the file of a manifest lies in the archive's folder."""
    month = manifest["span_from"].astimezone(UTC).strftime("%Y-%m")
    # An attempt that was given up must not write into the file of the next one.
    attempt = secrets.token_hex(4)
    name = f"{manifest['organization_id']}_{manifest['manifest_id']}_{attempt}.parquet"
    return f"type={manifest['sensor_type']}/month={month}/{name}"


def check_folder(folder: Path) -> None:
    """Make the folder and see that it can be written; raises ArchiveError."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ArchiveError(
            f"platform.archive.folder: {folder} cannot be written ({error.strerror}): readings are"
            " archived there, so give a folder that the platform may write"
        ) from error


def write(folder: Path, file: str, manifest: Any, readings: Readings, metadata: Metadata) -> int:
    """Write a manifest's readings, to the disk itself; returns the bytes. Raises ArchiveError.

    There is no file of that name before all of it is there.
    """
    path = folder / file
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as sink:
            pq.write_table(
                to_table(manifest, readings, metadata), sink, row_group_size=ROW_GROUP_ROWS,
                compression="zstd", use_dictionary=DICTIONARIES, column_encoding=ENCODINGS,
                write_page_index=True, write_page_checksum=True,
            )  # fmt: skip
            sink.flush()
            os.fsync(sink.fileno())
        part.replace(path)
        for parent in (path.parent, path.parent.parent, folder):
            _sync_folder(parent)
        return path.stat().st_size
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise ArchiveError(
            f"the archive file {path} cannot be written ({error.strerror or error}): nothing was"
            " dropped, and it is tried again"
        ) from error


def to_table(manifest: Any, readings: Readings, metadata: Metadata) -> pa.Table:
    """Readings in order of sensor and time, as they are in the file."""
    sensors, code = _coded(readings.sensor_high, readings.sensor_low)
    order = _order(code, readings.t_us)
    readings, code = readings.take(order), code[order]
    devices, device_code = _coded(readings.device_high, readings.device_low)
    organization = pa.array([manifest["organization_id"].bytes], _ID)
    count = len(readings)
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), organization),
        pa.array(np.full(count, manifest["sensor_type"], np.int16)),
        pa.DictionaryArray.from_arrays(pa.array(code), sensors),
        pa.DictionaryArray.from_arrays(pa.array(device_code), devices),
        pa.array(readings.t_us, _TIME),
        pa.array(readings.received_us, _TIME),
        pa.array(readings.value),
        pa.array(readings.raw, mask=np.isnan(readings.raw)),
        pa.array(readings.quality),
        pa.array(readings.is_anomaly),
        pa.array(readings.score, mask=np.isnan(readings.score)),
        _metadata_column(readings, metadata),
    ]
    return pa.table(columns, schema=SCHEMA)


def read(folder: Path, file: str) -> tuple[Readings, list[str | None] | None]:
    """A file's readings and, where any has some, their metadata. Raises ArchiveError."""
    path = folder / file
    try:
        with path.open("rb") as source:
            table = pq.ParquetFile(source, page_checksum_verification=True).read()
        return _from_table(table)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ArchiveError(_damage(path, error)) from error


def _from_table(table: pa.Table) -> tuple[Readings, list[str | None] | None]:
    high, low = _halves(table["sensor_id"])
    device_high, device_low = _halves(table["device_id"])
    texts = table["metadata"]
    metadata = texts.to_pylist() if texts.null_count < len(texts) else None
    hashes = np.zeros(len(table), np.int64)
    if metadata is not None:
        present = [at for at, text in enumerate(metadata) if text is not None]
        hashes[present] = [_metadata_hash(str(metadata[at])) for at in present]
    return Readings(
        sensor_high=high,
        sensor_low=low,
        device_high=device_high,
        device_low=device_low,
        t_us=_numbers(table["t"].cast(pa.int64()), np.int64),
        received_us=_numbers(table["received"].cast(pa.int64()), np.int64),
        value=_numbers(table["value"], np.float64),
        raw=_numbers(table["raw"], np.float64),
        score=_numbers(table["score"], np.float32),
        quality=_numbers(table["quality"], np.int16),
        is_anomaly=_numbers(table["is_anomaly"], np.bool_),
        metadata_hash=hashes,
        is_sealed=np.zeros(len(table), np.bool_),
    ), metadata


def _damage(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"the archive file {path} is missing: put it back from a backup"
    said = str(error).partition("\n")[0]
    return f"the archive file {path} is damaged ({said}): put it back from a backup"


def _numbers(column: pa.ChunkedArray, kind: Any) -> Any:
    """Nulls of floats become NaN."""
    return np.ascontiguousarray(column.to_numpy(zero_copy_only=False), dtype=kind)


def _halves(column: pa.ChunkedArray) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """UUIDs as uint64 halves; a file gives them plain, as Parquet has no such dictionaries."""
    chunks = [chunk.cast(_ID) for chunk in column.chunks if len(chunk)]
    packed = b"".join(
        chunk.buffers()[1].slice(chunk.offset * 16, len(chunk) * 16) for chunk in chunks
    )
    words = np.frombuffer(packed, dtype=">u8").reshape(-1, 2).astype(np.uint64)
    return words[:, 0].copy(), words[:, 1].copy()


def _coded(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> tuple[pa.Array, NDArray[np.int32]]:
    """The different ids in order, and for each row which one it has."""
    _, first, inverse = np.unique(hash_sensors(high, low), return_index=True, return_inverse=True)
    order = np.lexsort((low[first], high[first]))
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    words = np.stack([high[first][order], low[first][order]], axis=1).astype(">u8")
    ids = pa.FixedSizeBinaryArray.from_buffers(
        _ID, len(order), [None, pa.py_buffer(words.tobytes())]
    )
    return ids, rank[inverse]


def _order(code: NDArray[np.int32], t_us: NDArray[np.int64]) -> NDArray[np.intp]:
    if not len(code):
        return np.zeros(0, np.intp)
    since = t_us - t_us.min()
    if int(since.max()) >> _TIME_BITS or int(code.max()) >= _CODES_MAX:
        return np.lexsort((t_us, code))
    return np.argsort((code.astype(np.int64) << _TIME_BITS) | since)


def _metadata_column(readings: Readings, metadata: Metadata) -> pa.Array:
    texts: list[str | None] = [None] * len(readings)
    for at in np.flatnonzero(readings.metadata_hash).tolist():
        sensor = UUID(int=int(readings.sensor_high[at]) << 64 | int(readings.sensor_low[at]))
        texts[at] = metadata.get((sensor, int(readings.t_us[at])))
    return pa.array(texts, pa.string()) if metadata else pa.nulls(len(readings), pa.string())


def _metadata_hash(text: str) -> int:
    """As iot.metadata_hash has it."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
