"""Readings on the wire, both ways: JSON of one device, Arrow of a gateway.

A UUID is two unsigned 64-bit integers, high and low, so that columns of ids are plain arrays.
"""

import json
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetplatform.errors import WireError

JSON_MEDIA_TYPE = "application/json"
ARROW_MEDIA_TYPE = "application/vnd.apache.arrow.stream"

ARROW_SCHEMA = pa.schema(
    [
        pa.field("sensor_id", pa.binary(16), nullable=False),
        pa.field("t", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("v", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class ArrowReadings:
    """Decoded columns of one Arrow body, all of one length.

    sensor_high, sensor_low: uint64 · t_us: int64 µs since 1970 · value: float64 ·
    metadata: JSON text a reading, or None where the column is missing.
    """

    sensor_high: NDArray[np.uint64]
    sensor_low: NDArray[np.uint64]
    t_us: NDArray[np.int64]
    value: NDArray[np.float64]
    metadata: list[str | None] | None

    def __len__(self) -> int:
        return len(self.t_us)


@dataclass(frozen=True, slots=True)
class JsonReadings:
    """Decoded lists of one JSON body; `malformed` holds the indexes of readings to reject.

    A malformed reading keeps its place with an empty sensor and a time of zero. A value that is
    not a number is NaN.
    """

    sensors: list[str]
    t_us: list[int]
    values: list[float]
    metadata: list[str | None] | None
    malformed: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.sensors)


def encode_arrow(
    sensor_high: NDArray[np.uint64],
    sensor_low: NDArray[np.uint64],
    t_us: NDArray[np.int64],
    value: NDArray[np.float64],
) -> bytes:
    """One Arrow stream with the readings; the arrays are of one length."""
    ids = np.empty((len(t_us), 2), dtype=">u8")
    ids[:, 0] = sensor_high
    ids[:, 1] = sensor_low
    # The buffers go out as they lie in memory.
    t_us = np.ascontiguousarray(t_us, dtype=np.int64)
    value = np.ascontiguousarray(value, dtype=np.float64)
    batch = pa.RecordBatch.from_arrays(
        [
            pa.Array.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(ids)]),
            pa.Array.from_buffers(
                ARROW_SCHEMA.field("t").type, len(ids), [None, pa.py_buffer(t_us)]
            ),
            pa.Array.from_buffers(pa.float64(), len(ids), [None, pa.py_buffer(value)]),
        ],
        schema=ARROW_SCHEMA,
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ARROW_SCHEMA) as writer:
        writer.write_batch(batch)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def decode_arrow(body: bytes, readings_max: int) -> ArrowReadings:
    """The columns of an Arrow body; raises WireError for another schema or too many readings.

    A null value becomes NaN and a null time zero, so that admission rejects that reading alone.
    """
    try:
        table = _read_arrow(body, readings_max)
    except (pa.ArrowException, OSError, EOFError, struct.error, ValueError, KeyError) as error:
        raise WireError(f"the body is not an Arrow stream: {error}") from error
    ids = _column(table, "sensor_id").fill_null(bytes(16))
    pairs = np.frombuffer(ids.buffers()[1] or b"", dtype=">u8").reshape(-1, 2)
    pairs = pairs[ids.offset : ids.offset + len(ids)]
    times = _column(table, "t").cast(pa.int64()).fill_null(0)
    values = _column(table, "v").fill_null(math.nan)
    metadata = _column(table, "m").to_pylist() if "m" in table.schema.names else None
    return ArrowReadings(
        sensor_high=pairs[:, 0].astype(np.uint64),
        sensor_low=pairs[:, 1].astype(np.uint64),
        t_us=times.to_numpy(zero_copy_only=False),
        value=values.to_numpy(zero_copy_only=False),
        metadata=metadata,
    )


def _read_arrow(body: bytes, readings_max: int) -> pa.Table:
    """The body as one table. What came from outside is not believed before it is validated."""
    for message in pa.ipc.MessageReader.open_stream(body):
        if message.type == "record batch" and _is_compressed(message.metadata.to_pybytes()):
            raise WireError("the Arrow buffers are compressed: compress the body, which is limited")
    reader = pa.ipc.open_stream(body)
    _check_schema(reader.schema)
    batches = []
    count = 0
    for batch in reader:
        count += batch.num_rows
        _check_count(count, readings_max)
        batch.validate(full=True)
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema).combine_chunks()


def _is_compressed(metadata: bytes) -> bool:
    """Whether a message's flatbuffer says so (Message.header → RecordBatch.compression)."""
    message = struct.unpack_from("<I", metadata)[0]
    at = message + _slot(metadata, message, 2)
    batch = at + struct.unpack_from("<I", metadata, at)[0]
    return _slot(metadata, batch, 3) > 0


def _slot(buffer: bytes, table: int, index: int) -> int:
    """Where a flatbuffer table has a field, from the table's start; 0 where it has none."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    size = struct.unpack_from("<H", buffer, vtable)[0]
    at = 4 + 2 * index
    return int(struct.unpack_from("<H", buffer, vtable + at)[0]) if at < size else 0


def _check_schema(schema: pa.Schema) -> None:
    if unknown := set(schema.names) - {*ARROW_SCHEMA.names, "m"}:
        raise WireError(f"unknown columns: {', '.join(sorted(unknown))}; use sensor_id, t, v and m")
    if len(set(schema.names)) < len(schema.names):
        raise WireError("two columns have the same name")
    for field in ARROW_SCHEMA:
        found = schema.field(field.name).type if field.name in schema.names else None
        if found != field.type:
            raise WireError(f"column {field.name} must be {field.type}, got {found}")
    if "m" in schema.names and not pa.types.is_string(schema.field("m").type):
        raise WireError(f"column m must be string, got {schema.field('m').type}")


def _column(table: pa.Table, name: str) -> pa.Array:
    chunks = table.column(name).chunks
    return chunks[0] if chunks else pa.array([], type=table.schema.field(name).type)


class _Reading(msgspec.Struct):
    sensor: str
    t: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    v: float
    m: msgspec.Raw | None = None


class _Body(msgspec.Struct):
    readings: list[_Reading]


_decoder = msgspec.json.Decoder(_Body)


def encode_json(sensors: Sequence[str], t_us: Sequence[int], values: Sequence[float]) -> bytes:
    """One JSON body with the readings; a value that is not finite is written as null."""
    readings = [
        {"sensor": s, "t": t, "v": v} for s, t, v in zip(sensors, t_us, values, strict=True)
    ]
    return msgspec.json.encode({"readings": readings})


def decode_json(body: bytes, readings_max: int) -> JsonReadings:
    """The readings of a JSON body; raises WireError if it is no list of readings or too long.

    Bodies as most devices write them take the quick way; anything unusual (times in RFC 3339,
    NaN, a reading of another shape) is looked at one reading at a time, so that one bad reading
    never spoils its neighbours. A body of more lists and objects than so many readings have is
    refused unread: a small compressed one could otherwise keep all devices waiting for half a
    minute.
    """
    if body.count(b"{") + body.count(b"[") > _CONTAINERS_PER_READING * (readings_max + 1):
        raise WireError(
            f"too many objects and lists in one body; send fewer than {readings_max} readings"
        )
    try:
        readings = _decoder.decode(body).readings
        metadata = None
        if any(r.m is not None for r in readings):
            metadata = [None if r.m is None else bytes(r.m).decode() for r in readings]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decode_leniently(body, readings_max)
    _check_count(len(readings), readings_max)
    return JsonReadings(
        sensors=[r.sensor for r in readings],
        t_us=[r.t for r in readings],
        values=[r.v for r in readings],
        metadata=metadata,
    )


def _check_count(count: int, readings_max: int) -> None:
    if count > readings_max:
        raise WireError(f"{count} readings in one body; at most {readings_max} are taken")


def _decode_leniently(body: bytes, readings_max: int) -> JsonReadings:
    try:
        # The standard library's parser, for it alone takes NaN and Infinity.
        document = json.loads(body, parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the body is not JSON: {error}") from error
    readings = document.get("readings") if isinstance(document, dict) else None
    if not isinstance(readings, list):
        raise WireError('the body must be an object with a list "readings"')
    _check_count(len(readings), readings_max)
    out = JsonReadings([], [], [], [])
    malformed = []
    for index, reading in enumerate(readings):
        parsed = _parse(reading)
        if parsed is None:
            malformed.append(index)
        sensor, t_us, value, metadata = parsed or ("", 0, math.nan, None)
        out.sensors.append(sensor)
        out.t_us.append(t_us)
        out.values.append(value)
        if out.metadata is not None:
            out.metadata.append(metadata)
    return JsonReadings(out.sensors, out.t_us, out.values, out.metadata, tuple(malformed))


def _parse(reading: Any) -> tuple[str, int, float, str | None] | None:
    """One reading of any shape as sensor, time, value, metadata; None when it is malformed."""
    if not isinstance(reading, dict):
        return None
    sensor, value, metadata = reading.get("sensor"), reading.get("v"), reading.get("m")
    t_us = parse_time(reading.get("t"))
    if not isinstance(sensor, str) or t_us is None or isinstance(value, bool) or "v" not in reading:
        return None
    if metadata is not None and not isinstance(metadata, dict):
        return None
    try:
        text = None if metadata is None else json.dumps(metadata, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    # A null or a text such as "NaN" is a value that is not a number, not a malformed reading.
    number = _as_float(value) if isinstance(value, int | float) else math.nan
    return sensor, t_us, number, text


def check_metadata(
    metadata: list[str | None] | None, size_max: int
) -> tuple[list[str | None] | None, tuple[int, ...]]:
    """Metadata as it can be stored, and the indexes of readings whose metadata cannot be.

    A text must be a JSON object of at most `size_max` bytes, without the character NUL.
    """
    if metadata is None:
        return None, ()
    bad = tuple(
        index
        for index, text in enumerate(metadata)
        if text is not None and not _is_storable(text, size_max)
    )
    kept = [None if text == "null" else text for text in metadata]
    for index in bad:
        kept[index] = None
    return kept, bad


def _is_storable(text: str, size_max: int) -> bool:
    try:
        encoded = text.encode()
        if len(encoded) > size_max or ("\\u0000" in text and _NUL.search(text)):
            return False
        return text == "null" or isinstance(msgspec.json.decode(encoded), dict)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return False


def _parse_int(text: str) -> int | float:
    """An integer of any length; beyond what a float can hold it is an infinity."""
    return int(text) if len(text) <= _DIGITS_MAX else math.copysign(math.inf, -text.startswith("-"))


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def parse_time(t: Any) -> int | None:
    """µs since 1970 from an integer of µs or an RFC 3339 text with a zone; None for anything else.

    An integer beyond 64 bits is clamped: admission then finds it out of the window.
    """
    if isinstance(t, int) and not isinstance(t, bool):
        return max(min(t, 2**63 - 1), -(2**63))
    if isinstance(t, str):
        try:
            instant = datetime.fromisoformat(t)
        except ValueError:
            return None
        if instant.tzinfo is None:
            return None
        return (instant - _EPOCH) // timedelta(microseconds=1)
    return None


_DIGITS_MAX = 400
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""NUL as JSON writes it: its backslash is not itself behind one that escapes it."""
_CONTAINERS_PER_READING = 4
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
