"""Keys of programs and people, and who a key belongs to."""

from uuid import UUID

from litestar import delete, get, post

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import api_keys
from fleetplatform.registry.organizations import Principal, Role
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.api_keys import ApiKeys, IssuedApiKey, Me, NewApiKey


@get("/v1/me")
async def read_me(principal: Principal) -> Me:
    """As whom the token works, and what it may do."""
    tenant = principal.tenant
    return Me(
        organization_id=None if tenant is None else tenant.organization,
        role=principal.role.name.lower(),  # type: ignore[arg-type]
        actor=principal.actor,
        user_id=principal.user_id,
        device_groups=None if tenant is None else tenant.device_groups,
    )


@post("/v1/api-keys", opt={"role": Role.ADMIN})
async def issue_api_key(
    data: NewApiKey, tenant: Tenant, principal: Principal, context: Context
) -> IssuedApiKey:
    """A key for a program; its token is shown this once."""
    return await api_keys.issue(context.pool, tenant, principal, data)


@get("/v1/api-keys", opt={"role": Role.ADMIN}, dependencies={"page": page_of("name", "created")})
async def list_api_keys(
    tenant: Tenant, context: Context, page: Page, user_id: UUID | None = None
) -> ApiKeys:
    """Keys of programs and people, those that were revoked too; all, or one user's."""
    return await api_keys.list_page(context.pool, tenant, user_id, page)


@delete("/v1/api-keys/{api_key_id:uuid}", opt={"role": Role.ADMIN})
async def revoke_api_key(api_key_id: UUID, tenant: Tenant, context: Context) -> None:
    """Refuse a key from now on."""
    await api_keys.revoke(context.pool, tenant, api_key_id)


handlers = [read_me, issue_api_key, list_api_keys, revoke_api_key]
