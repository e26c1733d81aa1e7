"""Quotas of organizations, set by the operator or from above."""

from uuid import UUID

from litestar import get, put
from litestar.di import Provide

from fleetplatform.api.access import Context
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import quotas
from fleetplatform.registry.organizations import OPERATOR, Principal, Role
from fleetplatform.wire.resources.quotas import NewQuotas, Quotas, Usage


async def provide_asker(principal: Principal, organization_id: UUID) -> Tenant:
    """As whom a request works: the operator as the organization itself, others as they are."""
    return principal.tenant or Tenant(organization_id, OPERATOR)


_ASKER = {"asker": Provide(provide_asker)}


@get("/v1/organizations/{organization_id:uuid}/quotas", dependencies=_ASKER)
async def read_quotas(organization_id: UUID, asker: Tenant, context: Context) -> Quotas:
    """What an organization may have at most."""
    return await quotas.read(context.pool, asker, organization_id)


@put("/v1/organizations/{organization_id:uuid}/quotas", dependencies=_ASKER,
     opt={"role": Role.ADMIN})  # fmt: skip
async def put_quotas(
    organization_id: UUID, data: NewQuotas, asker: Tenant, context: Context, expected: int | None
) -> Quotas:
    """Set all quotas of an organization; what is null or left out is without limit."""
    return await quotas.put(context.pool, asker, organization_id, data, expected)


@get("/v1/organizations/{organization_id:uuid}/usage", dependencies=_ASKER)
async def read_usage(organization_id: UUID, asker: Tenant, context: Context) -> Usage:
    """Each quota of an organization and how much of it is used."""
    return await quotas.usage(context.pool, asker, organization_id)


handlers = [read_quotas, put_quotas, read_usage]
