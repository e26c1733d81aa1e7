"""People of an organization; for its admins."""

from uuid import UUID

from litestar import get, patch, post

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import api_keys, users
from fleetplatform.registry.organizations import Principal, Role
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.api_keys import IssuedApiKey, NewApiKey
from fleetplatform.wire.resources.users import NewUser, User, UserChange, Users

_ADMIN = {"role": Role.ADMIN}


@post("/v1/users", opt=_ADMIN)
async def create_user(
    data: NewUser, tenant: Tenant, principal: Principal, context: Context
) -> User:
    """Enter a person, who may do nothing before they get a key."""
    return await users.create(context.pool, tenant, principal, data)


@get("/v1/users", opt=_ADMIN, dependencies={"page": page_of("name", "created")})
async def list_users(tenant: Tenant, context: Context, page: Page) -> Users:
    """The people of the organization and of those below it."""
    return await users.list_page(context.pool, tenant, page)


@get("/v1/users/{user_id:uuid}", opt=_ADMIN)
async def read_user(user_id: UUID, tenant: Tenant, context: Context) -> User:
    """One person."""
    return await users.read(context.pool, tenant, user_id)


@patch("/v1/users/{user_id:uuid}", opt=_ADMIN)
async def change_user(
    user_id: UUID,
    data: UserChange,
    tenant: Tenant,
    principal: Principal,
    context: Context,
    expected: int | None,
) -> User:
    """Change what is said of a person, what they may do, or whether their keys are good."""
    return await users.change(context.pool, tenant, principal, user_id, data, expected)


@post("/v1/users/{user_id:uuid}/keys", opt=_ADMIN)
async def issue_user_key(
    user_id: UUID, data: NewApiKey, tenant: Tenant, principal: Principal, context: Context
) -> IssuedApiKey:
    """A key for a person, with their role at most; its token is shown this once."""
    return await api_keys.issue_to(context.pool, tenant, principal, user_id, data)


handlers = [create_user, list_users, read_user, change_user, issue_user_key]
