"""A binary COPY is read into arrays wherever its bytes are cut."""

import struct

import numpy as np
import pytest

from fleetstorm.verification.table import StoredRows, _CopyReader

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
COUNT = 70_000
EPOCH_US = 946_684_800_000_000


def row(number: int) -> bytes:
    return (
        struct.pack(">hi", 4, 16)
        + struct.pack(">QQ", number, number + 7)
        + struct.pack(">iq", 8, number * 10)
        + struct.pack(">id", 8, number / 8)
        + struct.pack(">id", 8, -number / 8)
    )


async def read(data: bytes, cut: int) -> list[StoredRows]:
    pieces: list[StoredRows] = []
    reader = _CopyReader(pieces.append)
    for start in range(0, len(data), cut):
        await reader.write(data[start : start + cut])
    reader.finish()
    return pieces


@pytest.mark.parametrize("cut", [4099, 65_536, 10**9])
async def test_rows_come_whole_and_in_order(cut: int) -> None:
    pieces = await read(HEADER + b"".join(map(row, range(COUNT))) + TRAILER, cut)
    numbers = np.arange(COUNT)
    assert np.array_equal(np.concatenate([p.sensor_high for p in pieces]), numbers)
    assert np.array_equal(np.concatenate([p.sensor_low for p in pieces]), numbers + 7)
    assert np.array_equal(np.concatenate([p.t_us for p in pieces]), numbers * 10 + EPOCH_US)
    assert np.array_equal(np.concatenate([p.raw for p in pieces]), numbers / 8)
    assert np.array_equal(np.concatenate([p.value for p in pieces]), -numbers / 8)


async def test_pieces_are_bounded() -> None:
    pieces = await read(HEADER + b"".join(map(row, range(COUNT))) + TRAILER, 65_536)
    assert [len(piece) for piece in pieces] == [65_536, COUNT - 65_536]


async def test_an_empty_table_gives_nothing() -> None:
    assert await read(HEADER + TRAILER, 5) == []


async def test_the_bits_of_a_value_are_kept() -> None:
    odd = struct.pack(">Q", 0x7FF8_0000_0000_1234)
    data = row(1)[:-20] + odd + row(1)[-12:]
    (rows,) = await read(HEADER + data + TRAILER, 11)
    assert rows.raw.view(np.uint64).tolist() == [0x7FF8_0000_0000_1234]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEADER + row(1),
        HEADER + row(1)[:-3] + TRAILER,
        HEADER + struct.pack(">h", 5) + row(1)[2:] + TRAILER,
        b"something else entirely" + TRAILER,
    ],
)
async def test_what_is_cut_off_or_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="COPY"):
        await read(data, 16)
