"""What PostgreSQL's own views say, by queries that cost it next to nothing."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

_queries: Any = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
_SIZES_EVERY = 5

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a read raises while the server is away; the last where it goes in the middle of one."""


@dataclass(frozen=True)
class Observation:
    """One look at the database; `heaps` is None between the looks that take sizes.

    heaps: partition → bytes · indexes: partition and name of the index → bytes.
    """

    wal_position: int
    waits: dict[str, int]
    heaps: dict[int, int] | None = None
    indexes: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def heap_bytes(self) -> int | None:
        """Of all partitions."""
        return None if self.heaps is None else sum(self.heaps.values())

    @property
    def index_bytes(self) -> dict[str, int]:
        """Of all partitions, by the name of the index."""
        sizes: Counter[str] = Counter()
        for (_, name), size in self.indexes.items():
            sizes[name] += size
        return dict(sizes)


class Database:
    """One connection of the recorder's own, opened again when it was lost."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._connection: Any = None
        self._looks = 0

    async def observe(self, *, sizes: bool = False) -> Observation:
        """Look once; the sizes at every fifth look, or when asked for. Raises UNREACHABLE."""
        connection = await self._open()
        with_sizes = sizes or self._looks % _SIZES_EVERY == 0
        self._looks += 1
        try:
            return await _observe(connection, with_sizes)
        except UNREACHABLE:
            connection.terminate()
            raise

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.terminate()

    async def _open(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url,
                timeout=self._timeout_s,
                command_timeout=self._timeout_s,
                server_settings={"application_name": "fleetstorm-metrics"},
            )
        return self._connection


async def _observe(connection: Any, with_sizes: bool) -> Observation:
    position = await _queries.wal_position(connection)
    waits = {row["event"]: row["sessions"] async for row in _queries.waits(connection)}
    if not with_sizes:
        return Observation(position, waits)
    heaps = {row["relation"]: row["bytes"] async for row in _queries.heap_bytes(connection)}
    indexes = {
        (row["relation"], row["index_name"]): row["bytes"]
        async for row in _queries.index_bytes(connection)
    }
    return Observation(position, waits, heaps, indexes)
