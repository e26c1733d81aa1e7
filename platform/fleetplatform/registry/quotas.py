"""Quotas: what an organization may have at most, and what it has.

Devices and rules are counted here, before they are made; ingest limits readings a second
(`ingest.quotas`) and takes none that is older than an organization may store (`ingest.admission`).
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ForbiddenError, NotFoundError, QuotaError, StaleError
from fleetplatform.registry.organizations import OPERATOR
from fleetplatform.wire.resources.quotas import NewQuotas, Quotas, Usage, Use

RATE_FRESH_S = 20.0
"""A rate of readings that was counted longer ago says nothing about now."""

_KINDS = ("devices", "readings_per_s", "rules", "storage_days")
_queries: Any = load(__file__)


async def read(pool: Pool, tenant: Tenant, organization_id: UUID) -> Quotas:
    """The quotas of an organization that the tenant sees; raises NotFoundError for any other."""
    async with transaction(pool, tenant) as conn:
        return await _read(conn, organization_id)


async def _read(conn: Connection, organization_id: UUID) -> Quotas:
    row = await _queries.find_quotas(conn, organization_id=organization_id)
    if row is None:
        raise NotFoundError("there is no such organization")
    return Quotas(**dict(row))


async def put(
    pool: Pool, tenant: Tenant, organization_id: UUID, new: NewQuotas, expected: int | None
) -> Quotas:
    """Set all quotas of an organization, as the operator or from an organization above it.

    Raises NotFoundError for an organization that the tenant does not see, ForbiddenError for its
    own, and StaleError where the quotas were changed since they had the revision `expected`.
    """
    await read(pool, tenant, organization_id)
    if tenant.organization == organization_id and tenant.actor != OPERATOR:
        raise ForbiddenError(
            "an organization's quotas are set by the operator or by an organization above it"
        )
    async with transaction(pool, Tenant(organization_id, tenant.actor)) as conn:
        await hold(conn)
        found = await _read(conn, organization_id)
        if expected is not None and expected != found.revision:
            raise StaleError("the quotas were changed since they were read: read them again")
        values = {kind: getattr(new, kind) for kind in _KINDS}
        await _queries.put_quotas(conn, organization_id=organization_id, **values)
        return await _read(conn, organization_id)


async def usage(pool: Pool, tenant: Tenant, organization_id: UUID) -> Usage:
    """Each quota and how much of it is used; raises NotFoundError as `read` does."""
    async with transaction(pool, tenant) as conn:
        limits = await _read(conn, organization_id)
        used = await _queries.find_usage(
            conn, organization_id=organization_id, fresh_s=RATE_FRESH_S
        )
    uses = {
        kind: Use(limit=getattr(limits, kind), used=None if used is None else used.get(kind))
        for kind in _KINDS
    }
    return Usage(organization_id=organization_id, **uses)


async def hold(conn: Connection) -> None:
    """Until the transaction ends nobody else counts against the quotas of its organization."""
    await _queries.lock_quotas(conn)


async def ensure_room(conn: Connection, kind: str, asked: int) -> None:
    """Take part of a quota ("devices", "rules") of the transaction's organization.

    Until the transaction ends nobody else can take of that organization's. Raises QuotaError.
    """
    row = await _queries.lock_quota(conn, kind=kind)
    quota, used = row["quota"], row["used"]
    if quota is not None and used + asked > quota:
        raise QuotaError(
            f"{kind}: the organization may have {quota}, has {used}, and {asked} more were asked"
            " for; ask whoever sets its quotas"
        )


async def record_rates(pool: Pool, organizations: Sequence[UUID], rates: Sequence[float]) -> None:
    """Note how many readings a second some organizations send, as ingest counted them."""
    async with pool.acquire() as conn, conn.transaction():
        await _queries.record_rates(conn, organizations=organizations, rates=rates)
