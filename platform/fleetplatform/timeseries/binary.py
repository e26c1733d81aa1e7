"""Arrays as PostgreSQL's binary COPY, packed without a loop over rows.

The format is PostgreSQL's own ("Binary Format" on the reference page of COPY): for each row the
number of fields, then each field's length and bytes, all big-endian; length -1 is null. Rows whose
fields have the same lengths are one structured array, so a batch is a block for each combination of
nulls in it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.database.pool import Connection

POSTGRES_EPOCH_US = 946_684_800_000_000
"""2000-01-01, from which PostgreSQL counts, in µs since 1970."""
UUID_FIELD = [("high", ">u8"), ("low", ">u8")]

Fields = Sequence[tuple[str, Any]]
"""Name and big-endian numpy type of each column, in the order in which they are sent."""

_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"


def records(
    fields: Fields, columns: Mapping[str, Any], count: int, *, more: int = 0
) -> NDArray[np.void]:
    """One record a row, in which each field follows its length.

    columns: by field an array or one value for all rows; the halves of a UUID as a pair; None where
    it is null in every row · more: how many fields the caller puts behind each record.
    """
    null = {name for name, _ in fields if columns[name] is None}
    packed = np.empty(count, dtype=_layout(fields, null))
    packed["fields"] = len(fields) + more
    for name, kind in fields:
        packed[f"{name}_length"] = -1 if name in null else np.dtype(kind).itemsize
        if name in null:
            continue
        if kind is UUID_FIELD:
            packed[name]["high"], packed[name]["low"] = columns[name]
        else:
            packed[name] = columns[name]
    return packed


async def copy(
    conn: Connection,
    table: str,
    columns: Sequence[str],
    blocks: Iterable[memoryview],
    schema: str | None = "iot",
) -> None:
    """COPY blocks of records into a table, in the caller's transaction; no schema: a temporary."""
    await conn.copy_to_table(
        table, schema_name=schema, columns=columns, format="binary", source=_stream(blocks)
    )


async def _stream(blocks: Iterable[memoryview]) -> AsyncIterator[Any]:
    yield _SIGNATURE
    for block in blocks:
        yield block
    yield _TRAILER


def _layout(fields: Fields, null: set[str]) -> np.dtype[np.void]:
    parts: list[tuple[str, Any]] = [("fields", ">i2")]
    for name, kind in fields:
        parts.append((f"{name}_length", ">i4"))
        if name not in null:
            parts.append((name, kind))
    return np.dtype(parts)
