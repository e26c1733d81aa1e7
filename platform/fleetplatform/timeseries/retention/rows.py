"""Readings out of the table as arrays: binary COPY, read as a structured view.

No column of the queries is ever null, so each row has the same width ("Binary Format" on
PostgreSQL's reference page of COPY).
"""

import asyncio
import time
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.database.packed import EPOCH_2000_US
from fleetplatform.database.pool import Connection
from fleetplatform.errors import DatabaseError

_FIELDS: tuple[tuple[str, Any], ...] = (
    ("sensor", [("high", ">u8"), ("low", ">u8")]),
    ("device", [("high", ">u8"), ("low", ">u8")]),
    ("t", ">i8"),
    ("received", ">i8"),
    ("value", ">f8"),
    ("raw", ">f8"),
    ("score", ">f4"),
    ("quality", ">i2"),
    ("is_anomaly", "u1"),
    ("metadata_hash", ">i8"),
    ("is_sealed", "u1"),
)
_ROW = np.dtype(
    [
        ("fields", ">i2"),
        *[part for name, kind in _FIELDS for part in ((f"{name}_size", ">i4"), (name, kind))],
    ]
)
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00"
_HEADER_BYTES = len(_SIGNATURE) + 8
_TRAILER = b"\xff\xff"


@dataclass(slots=True)
class Readings:
    """n readings; all arrays have one length and one order.

    *_high, *_low: uint64 halves of a UUID · t_us, received_us: int64 µs since 1970 · value, raw:
    float64, raw NaN where value is what arrived · score: float32, NaN without one · quality:
    int16 · metadata_hash: int64, 0 without metadata · is_sealed: the value is encrypted, so NaN.
    """

    sensor_high: NDArray[np.uint64]
    sensor_low: NDArray[np.uint64]
    device_high: NDArray[np.uint64]
    device_low: NDArray[np.uint64]
    t_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    value: NDArray[np.float64]
    raw: NDArray[np.float64]
    score: NDArray[np.float32]
    quality: NDArray[np.int16]
    is_anomaly: NDArray[np.bool_]
    metadata_hash: NDArray[np.int64]
    is_sealed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.t_us)

    @property
    def sent(self) -> NDArray[np.float64]:
        """The values as they arrived."""
        return np.where(np.isnan(self.raw), self.value, self.raw)

    def take(self, selection: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Readings":
        """Those of a mask or of positions, in that order, or a view of some."""
        return Readings(*(getattr(self, field.name)[selection] for field in fields(self)))


async def read(
    conn: Connection, query: Any, *arguments: Any, rows_per_s: float = float("inf")
) -> Readings:
    """What a query of `_FIELDS` gives, no faster than that many rows a second."""
    source = _Source(rows_per_s)
    text = query.rstrip().removesuffix(";")
    await conn.copy_from_query(text, *arguments, output=source.write, format="binary")
    return await asyncio.to_thread(source.readings)


class _Source:
    """Takes the bytes of a binary COPY as they come; whoever is slow to take them slows it down."""

    def __init__(self, rows_per_s: float) -> None:
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._bytes_per_s = rows_per_s * _ROW.itemsize
        self._began = time.monotonic()

    async def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._bytes += len(data)
        ahead_s = self._bytes / self._bytes_per_s - (time.monotonic() - self._began)
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)

    def readings(self) -> Readings:
        """All of it; raises DatabaseError where it is not whole rows and the trailer."""
        content = b"".join(self._pieces)
        self._pieces.clear()
        start = _HEADER_BYTES + int.from_bytes(content[_HEADER_BYTES - 4 : _HEADER_BYTES], "big")
        count, rest = divmod(len(content) - start - len(_TRAILER), _ROW.itemsize)
        whole = content.startswith(_SIGNATURE) and content.endswith(_TRAILER) and not rest
        if not whole or count < 0:
            raise DatabaseError("PostgreSQL answered COPY in another form than it documents")
        return _parse(np.frombuffer(content, dtype=_ROW, count=count, offset=start))


def _parse(rows: NDArray[np.void]) -> Readings:
    if (rows["fields"] != len(_FIELDS)).any():
        raise DatabaseError("PostgreSQL gave rows of another shape than was asked for")
    return Readings(
        sensor_high=rows["sensor"]["high"].astype(np.uint64),
        sensor_low=rows["sensor"]["low"].astype(np.uint64),
        device_high=rows["device"]["high"].astype(np.uint64),
        device_low=rows["device"]["low"].astype(np.uint64),
        t_us=rows["t"].astype(np.int64) + EPOCH_2000_US,
        received_us=rows["received"].astype(np.int64) + EPOCH_2000_US,
        value=rows["value"].astype(np.float64),
        raw=rows["raw"].astype(np.float64),
        score=rows["score"].astype(np.float32),
        quality=rows["quality"].astype(np.int16),
        is_anomaly=rows["is_anomaly"].astype(np.bool_),
        metadata_hash=rows["metadata_hash"].astype(np.int64),
        is_sealed=rows["is_sealed"].astype(np.bool_),
    )
