"""Whose rows a transaction may see and write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load

_queries: Any = load(__file__)


@asynccontextmanager
async def transaction(pool: Pool, tenant: UUID | None) -> AsyncIterator[Connection]:
    """One transaction, as one tenant: it sees the tenant's tree and writes the tenant's own rows.

    The context ends with the transaction, so the next borrower of the connection has none. With
    None nothing is set: roles under row level security then see no tenant's rows.
    """
    async with pool.acquire() as conn, conn.transaction():
        if tenant is not None:
            await _queries.enter_tenant(conn, tenant=tenant)
        yield conn
