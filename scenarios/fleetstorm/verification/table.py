"""Rows of the table as arrays: binary COPY, read as a structured view, in bounded pieces."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import numpy as np
from numpy.typing import NDArray

from fleetstorm.errors import UsageError

queries: Any = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")

_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("sensor_size", ">i4"),
        ("sensor_high", ">u8"),
        ("sensor_low", ">u8"),
        ("t_size", ">i4"),
        ("t_us", ">i8"),
        ("raw_size", ">i4"),
        ("raw", ">f8"),
        ("value_size", ">i4"),
        ("value", ">f8"),
    ]
)
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00"
_HEADER_BYTES = len(_SIGNATURE) + 8
_TRAILER = b"\xff\xff"
_PIECE_ROWS = 1 << 16
# PostgreSQL counts from 2000-01-01, everything else here from 1970-01-01.
_EPOCH_US = 946_684_800_000_000


@dataclass(slots=True)
class StoredRows:
    """Rows of the table, n each: uint64 halves of the sensor's id, int64 µs since 1970, the value
    as it was sent and the value in force, both float64.
    """

    sensor_high: NDArray[np.uint64]
    sensor_low: NDArray[np.uint64]
    t_us: NDArray[np.int64]
    raw: NDArray[np.float64]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.t_us)


OnRows = Callable[[StoredRows], None]


Keys = Mapping[str, bytes]
"""Keys of sensitive sensors, by id."""


async def stream_all(
    connection: Any, organizations: list[UUID], keys: Keys, on_rows: OnRows
) -> None:
    """Give every reading of some organizations to `on_rows`, 65,536 at a time at most."""
    for sql in await _in_tables(connection, queries.stored_readings.sql):
        await _stream(connection, sql, (organizations,), on_rows)
    if await queries.has_encrypted(connection, organizations=organizations):
        await _stream_encrypted(connection, organizations, None, keys, on_rows)


async def read_sensors(
    connection: Any, organizations: list[UUID], sensors: list[UUID], keys: Keys
) -> StoredRows:
    """Every reading of some sensors."""
    pieces: list[StoredRows] = []
    for sql in await _in_tables(connection, queries.readings_of_sensors.sql):
        await _stream(connection, sql, (organizations, sensors), pieces.append)
    if await queries.has_encrypted(connection, organizations=organizations):
        await _stream_encrypted(connection, organizations, sensors, keys, pieces.append)
    return concatenate(pieces)


async def _in_tables(connection: Any, sql: str) -> list[str]:
    """A query of sensor_data, for it and each partition that was taken out and not dropped yet."""
    taken_out = [row["relation"] async for row in queries.retired_partitions(connection)]
    return [sql.replace("sensor_data", name) for name in ("sensor_data", *taken_out)]


async def _stream_encrypted(
    connection: Any,
    organizations: list[UUID],
    sensors: list[UUID] | None,
    keys: Keys,
    on_rows: OnRows,
) -> None:
    """By a cursor, for the arguments of a COPY are written into its text, which is logged."""
    with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
        await queries.keep_parameters_out_of_the_log(connection)
    async with connection.transaction(readonly=True):
        cursor = await connection.cursor(
            queries.encrypted_readings.sql.rstrip().removesuffix(";"),
            *_in_order(organizations, sensors, keys),
        )
        while records := await cursor.fetch(_PIECE_ROWS):
            on_rows(_decrypted(records))


def _in_order(
    organizations: list[UUID], sensors: list[UUID] | None, keys: Keys
) -> tuple[Any, ...]:
    """The arguments of `encrypted_readings`, as they occur in its text."""
    return list(keys), list(keys.values()), organizations, sensors


def _decrypted(records: list[Any]) -> StoredRows:
    missing = next((one["missing_key"] for one in records if one["missing_key"] is not None), None)
    if missing is not None:
        raise UsageError(
            f'readings are encrypted with the key "{missing}": give its file in'
            " platform.encryption.keys, or verify=false for a run that proves nothing"
        )
    return StoredRows(
        np.array([one["sensor_id"].int >> 64 for one in records], dtype=np.uint64),
        np.array([one["sensor_id"].int & (2**64 - 1) for one in records], dtype=np.uint64),
        np.array([one["t_us"] for one in records], dtype=np.int64),
        np.array([one["raw"] for one in records], dtype=np.float64),
        np.array([one["value"] for one in records], dtype=np.float64),
    )


async def _stream(connection: Any, sql: str, args: tuple[Any, ...], on_rows: OnRows) -> None:
    reader = _CopyReader(on_rows)
    query = sql.rstrip().removesuffix(";")
    await connection.copy_from_query(query, *args, output=reader.write, format="binary")
    reader.finish()


class _CopyReader:
    """Takes the bytes of a binary COPY as they come, gives rows in pieces."""

    def __init__(self, on_rows: OnRows) -> None:
        self._on_rows = on_rows
        self._bytes = bytearray()
        self._header_seen = False

    async def write(self, data: bytes) -> None:
        self._bytes += data
        if not self._header_seen and len(self._bytes) >= _HEADER_BYTES:
            self._skip_header()
        if self._header_seen and len(self._bytes) >= _PIECE_ROWS * _ROW.itemsize:
            self._give(_PIECE_ROWS)

    def finish(self) -> None:
        """Give what is left; raises ValueError if it is not whole rows and the trailer."""
        if not self._header_seen or not self._bytes.endswith(_TRAILER):
            raise ValueError("the binary COPY of the table was cut off")
        count, rest = divmod(len(self._bytes) - len(_TRAILER), _ROW.itemsize)
        if rest:
            raise ValueError("the binary COPY of the table has rows of an unknown shape")
        if count:
            self._give(count)

    def _skip_header(self) -> None:
        if not self._bytes.startswith(_SIGNATURE):
            raise ValueError("PostgreSQL answered COPY in an unknown form")
        extension = int.from_bytes(self._bytes[_HEADER_BYTES - 4 : _HEADER_BYTES], "big")
        del self._bytes[: _HEADER_BYTES + extension]
        self._header_seen = True

    def _give(self, count: int) -> None:
        size = count * _ROW.itemsize
        piece, self._bytes = self._bytes[:size], self._bytes[size:]
        self._on_rows(_parse(piece))


def _parse(piece: bytearray) -> StoredRows:
    rows = np.frombuffer(piece, dtype=_ROW)
    if (rows["fields"] != 4).any() or (rows["sensor_size"] != 16).any():
        raise ValueError("the binary COPY of the table has rows of an unknown shape")
    return StoredRows(
        rows["sensor_high"].astype(np.uint64),
        rows["sensor_low"].astype(np.uint64),
        rows["t_us"].astype(np.int64) + _EPOCH_US,
        rows["raw"].astype(np.float64),
        rows["value"].astype(np.float64),
    )


def concatenate(pieces: list[StoredRows]) -> StoredRows:
    """All of them, one after the other."""
    if not pieces:
        return _parse(bytearray())
    return StoredRows(
        *(np.concatenate([getattr(p, name) for p in pieces]) for name in StoredRows.__slots__)
    )


async def connect(url: str) -> Any:
    """A connection of the court's own; a query may take as long as it takes."""
    return await asyncpg.connect(
        url, server_settings={"application_name": "fleetstorm-verification"}
    )
