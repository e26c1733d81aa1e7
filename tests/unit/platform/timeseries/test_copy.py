"""What goes into a binary COPY, read back by the rules of its format."""

import json
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from fleetplatform.batch import Rows
from fleetplatform.timeseries.copy import POSTGRES_EPOCH_US, pack

Fields = list[bytes | None]


def _rows(count: int, metadata: list[str | None] | None = None) -> Rows:
    draw = np.random.default_rng(7)

    def number() -> np.ndarray:
        return draw.integers(0, 2**64, count, dtype=np.uint64)

    return Rows(
        sensor=np.arange(count, dtype=np.int32),
        sensor_high=number(), sensor_low=number(), device_high=number(), device_low=number(),
        organization_high=number(), organization_low=number(),
        sensor_type=draw.integers(1, 30_000, count).astype(np.int16),
        measured_us=draw.integers(-(10**15), 10**16, count),
        value=draw.normal(size=count) * 1e100,
        raw=np.where(draw.random(count) < 0.5, np.nan, draw.normal(size=count)),
        quality=draw.integers(0, 256, count).astype(np.int16),
        is_anomaly=draw.random(count) < 0.5,
        score=np.where(draw.random(count) < 0.5, np.nan, draw.random(count)),
        metadata=None if metadata is None else np.array(metadata, dtype=np.object_),
        received_us=1_780_272_000_123_456,
    )


def _parse(data: bytes) -> Iterator[Fields]:
    at = 0
    while at < len(data):
        (count,) = struct.unpack_from(">h", data, at)
        at += 2
        fields: Fields = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", data, at)
            at += 4
            fields.append(None if length < 0 else data[at : at + length])
            at += max(length, 0)
        yield fields
    assert at == len(data)


def _expected(rows: Rows, i: int) -> Fields:
    def uuid(name: str) -> bytes:
        return struct.pack(
            ">QQ", int(getattr(rows, f"{name}_high")[i]), int(getattr(rows, f"{name}_low")[i])
        )

    fields: Fields = [
        struct.pack(">q", int(rows.measured_us[i]) - POSTGRES_EPOCH_US),
        struct.pack(">q", rows.received_us - POSTGRES_EPOCH_US),
        struct.pack(">d", rows.value[i]),
        None if np.isnan(rows.raw[i]) else struct.pack(">d", rows.raw[i]),
        uuid("sensor"),
        uuid("device"),
        uuid("organization"),
        None if np.isnan(rows.score[i]) else struct.pack(">f", rows.score[i]),
        struct.pack(">h", int(rows.sensor_type[i])),
        struct.pack(">h", int(rows.quality[i])),
        struct.pack(">?", bool(rows.is_anomaly[i])),
    ]
    if rows.metadata is not None:
        text = rows.metadata[i]
        fields.append(None if text is None else b"\x01" + text.encode())
    return fields


def _packed(rows: Rows) -> list[Fields]:
    return list(_parse(b"".join(pack(rows))))


def _in_any_order(found: list[Fields]) -> list[str]:
    return sorted(map(repr, found))


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_every_field_of_every_reading_is_packed(count: int) -> None:
    rows = _rows(count)
    expected = [_expected(rows, i) for i in range(count)]
    assert _in_any_order(_packed(rows)) == _in_any_order(expected)


def test_metadata_of_any_length_is_packed() -> None:
    texts = [
        None if i % 3 == 0 else json.dumps({"k": "°" * (i % 17)}, ensure_ascii=False)
        for i in range(500)
    ]
    rows = _rows(500, texts)
    expected = [_expected(rows, i) for i in range(500)]
    assert _in_any_order(_packed(rows)) == _in_any_order(expected)


@pytest.mark.parametrize("texts", [[None, None], ["{}", "{}"], [None, "{}"], ["{}", None]])
def test_metadata_at_the_edges_is_packed(texts: list[str | None]) -> None:
    rows = _rows(2, texts)
    expected = [_expected(rows, i) for i in range(2)]
    assert _in_any_order(_packed(rows)) == _in_any_order(expected)


def test_readings_alike_in_nulls_stay_in_order() -> None:
    rows = _rows(100)
    rows.raw[:], rows.score[:] = np.nan, np.nan
    assert _packed(rows) == [_expected(rows, i) for i in range(100)]
