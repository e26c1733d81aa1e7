"""The partitions of a run's database, as an action looks at them from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosql
import asyncpg

from fleetplatform.wire.clock import ClockLaw
from fleetstorm.errors import InfrastructureError

POLL_S = 0.1

queries: Any = aiosql.from_path(Path(__file__).with_name("queries.sql"), "asyncpg")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PartitionSpan:
    """A partition that holds a span of time [lower, upper), and the leaves it consists of."""

    name: str
    lower_us: int
    upper_us: int
    leaves: tuple[str, ...]


@dataclass
class Watch:
    """What was seen while it was looked at, again and again.

    first_seen_us: leaf → virtual time at which it was there for the first time · strayed_max:
    readings in default partitions at once, at most · spans: as they were seen last.
    """

    first_seen_us: dict[str, int] = field(default_factory=dict)
    strayed_max: int = 0
    spans: tuple[PartitionSpan, ...] = ()

    async def look(self, conn: Any, now_us: int) -> None:
        """Look once, at a virtual time."""
        self.spans = await read_spans(conn)
        for leaf in (leaf for span in self.spans for leaf in span.leaves):
            self.first_seen_us.setdefault(leaf, now_us)
        self.strayed_max = max(self.strayed_max, await count_strayed(conn))

    async def look_until(self, conn: Any, law: ClockLaw, until_us: int) -> None:
        """Look again and again until that virtual time."""
        while (now_us := law.now_us()) < until_us:
            await self.look(conn, now_us)
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def connected(database: str | None, what: str) -> AsyncIterator[Any]:
    """A connection of an action; its errors become one sentence that begins with `what`."""
    if database is None:
        raise InfrastructureError(f"{what}: it needs the platform's database and there is none")
    try:
        conn = await asyncpg.connect(
            database, server_settings={"application_name": f"fleetstorm {what}"}
        )
        try:
            yield conn
        finally:
            conn.terminate()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise InfrastructureError(f"{what}: {error}") from error


async def read_spans(conn: Any) -> tuple[PartitionSpan, ...]:
    """The partitions that hold a span of time, in order; none where the table is not cut so."""
    return tuple([
        PartitionSpan(
            row["name"], _us(row["lower_bound"]), _us(row["upper_bound"]), tuple(row["leaves"])
        )
        async for row in queries.spans(conn)
    ])  # fmt: skip


async def count_strayed(conn: Any) -> int:
    """Readings that lie in default partitions."""
    defaults = [row["relation"] async for row in queries.defaults(conn)]
    return sum((await count_rows(conn, defaults)).values())


async def count_rows(conn: Any, relations: list[str]) -> dict[str, int]:
    """Rows of some tables."""
    return {
        row["relation"]: row["row_count"]
        async for row in queries.counts(conn, relations=relations)
    }


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
