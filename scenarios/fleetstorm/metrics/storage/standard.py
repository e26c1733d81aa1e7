"""The six standard queries, asked in turn on a warm cache, each time about another sensor."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosql
import asyncpg
import numpy as np

from fleetstorm.errors import InfrastructureError
from fleetstorm.metrics.storage.instants import to_datetime
from fleetstorm.metrics.storage.settings import QuerySettings
from fleetstorm.results.storage import Queries, QueryTimes

_FOLDER = Path(__file__).parent
_standard: Any = aiosql.from_path(_FOLDER / "standard.sql", "asyncpg")
_tables: Any = aiosql.from_path(_FOLDER / "tables.sql", "asyncpg")
_ORDER: dict[str, list[str]] = _standard.driver_adapter.var_sorted
"""Query → its parameters, in the order in which its SQL numbers them."""
NAMES = tuple(_ORDER)
_TIMEOUT_S = 60.0


async def ask_standard(
    owner_url: str, api_url: str, organization_id: UUID, now_us: int, settings: QuerySettings
) -> Queries:
    """Ask each query `settings.calls` times as the API's role, on behalf of an organization.

    `owner_url` counts the rows; `now_us`: what the queries take for the present. Raises
    asyncpg.PostgresError, TimeoutError, OSError.
    """
    now = to_datetime(now_us)
    owner = await asyncpg.connect(owner_url, command_timeout=_TIMEOUT_S)
    try:
        rows = await _tables.row_count(owner)
    finally:
        await owner.close()
    api = await asyncpg.connect(api_url, command_timeout=_TIMEOUT_S)
    try:
        took = await _ask(api, organization_id, now, settings)
    finally:
        await api.close()
    return Queries(
        rows=rows,
        calls=settings.calls,
        latency_ms={
            name: QueryTimes(
                p50=float(np.percentile(ms, 50)),
                p99=float(np.percentile(ms, 99, method="higher")),
            )
            for name, ms in took.items()
        },
    )


async def _ask(
    conn: Any, organization_id: UUID, now: Any, settings: QuerySettings
) -> dict[str, list[float]]:
    """Milliseconds of each call, by query."""
    took: dict[str, list[float]] = {name: [] for name in NAMES}
    async with conn.transaction():
        await _tables.enter_tenant(conn, organization_id=organization_id)
        day = {"since": now - timedelta(days=1), "until": now}
        sensors = [
            dict(row)
            async for row in _tables.known_sensors(conn, organization_id=organization_id, **day)
        ]
    if not sensors:
        raise InfrastructureError("no sensor measured anything in the last day before")
    for call in range(settings.warm + settings.calls):
        asked = {**sensors[call * 7 % len(sensors)], "now": now}
        async with conn.transaction():
            await _tables.enter_tenant(conn, organization_id=organization_id)
            for name in NAMES:
                began = time.perf_counter()
                await conn.fetch(
                    getattr(_standard, name).sql, *(asked[word] for word in _ORDER[name])
                )
                took[name].append((time.perf_counter() - began) * 1000)
    return {name: ms[settings.warm :] for name, ms in took.items()}
