"""Whose rows a transaction may see and write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Tenant:
    """As whom a transaction works.

    organization: its tree is seen, its own rows are written · actor: who asks, for the audit log
    (`api_key:<id>`, `user:<id>`, `operator`; empty: the database's role) · device_groups: devices
    outside these groups are not there; None: no such limit.
    """

    organization: UUID
    actor: str = ""
    device_groups: tuple[UUID, ...] | None = None


@asynccontextmanager
async def transaction(pool: Pool, tenant: Tenant | None) -> AsyncIterator[Connection]:
    """One transaction, as one tenant: it sees the tenant's tree and writes the tenant's own rows.

    The context ends with the transaction, so the next borrower of the connection has none. With
    None nothing is set: roles under row level security then see no tenant's rows.
    """
    async with pool.acquire() as conn, conn.transaction():
        if tenant is not None:
            await _queries.enter_tenant(
                conn,
                organization=tenant.organization,
                actor=tenant.actor,
                device_groups=_listed(tenant.device_groups),
            )
        yield conn


def _listed(groups: tuple[UUID, ...] | None) -> str:
    """Groups as app.device_groups holds them: nothing for no limit, the nil UUID for no group."""
    if groups is None:
        return ""
    return ",".join(map(str, groups or (UUID(int=0),)))
