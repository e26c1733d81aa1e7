"""Groups of people and the groups of devices they may see; for admins."""

from uuid import UUID

from litestar import delete, get, patch, post, put

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import user_groups
from fleetplatform.registry.organizations import Role
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.users import (
    DeviceGroupShares,
    NewUserGroup,
    UserGroup,
    UserGroupChange,
    UserGroupMembers,
    UserGroups,
)

_ADMIN = {"role": Role.ADMIN}
_ONE = "/v1/user-groups/{user_group_id:uuid}"
_MEMBER = f"{_ONE}/members/{{user_id:uuid}}"
_SHARE = f"{_ONE}/shares/{{group_id:uuid}}"


@post("/v1/user-groups", opt=_ADMIN)
async def create_user_group(data: NewUserGroup, tenant: Tenant, context: Context) -> UserGroup:
    """A group of people, with nobody in it."""
    return await user_groups.create(context.pool, tenant, data)


@get("/v1/user-groups", opt=_ADMIN, dependencies={"page": page_of("name", "created")})
async def list_user_groups(tenant: Tenant, context: Context, page: Page) -> UserGroups:
    """The groups of the organization and of those below it."""
    return await user_groups.list_page(context.pool, tenant, page)


@get(_ONE, opt=_ADMIN)
async def read_user_group(user_group_id: UUID, tenant: Tenant, context: Context) -> UserGroup:
    """One group of people."""
    return await user_groups.read(context.pool, tenant, user_group_id)


@patch(_ONE, opt=_ADMIN)
async def change_user_group(
    user_group_id: UUID,
    data: UserGroupChange,
    tenant: Tenant,
    context: Context,
    expected: int | None,
) -> UserGroup:
    """Rename a group of people."""
    return await user_groups.change(context.pool, tenant, user_group_id, data, expected)


@delete(_ONE, opt=_ADMIN)
async def drop_user_group(
    user_group_id: UUID, tenant: Tenant, context: Context, expected: int | None
) -> None:
    """The group goes, and what was shared with it; its people stay."""
    await user_groups.drop(context.pool, tenant, user_group_id, expected)


@get(f"{_ONE}/members", opt=_ADMIN, dependencies={"page": page_of("name")})
async def list_members(
    user_group_id: UUID, tenant: Tenant, context: Context, page: Page
) -> UserGroupMembers:
    """Who is in a group."""
    return await user_groups.list_members(context.pool, tenant, user_group_id, page)


@put(_MEMBER, opt=_ADMIN, status_code=204)
async def put_member(user_group_id: UUID, user_id: UUID, tenant: Tenant, context: Context) -> None:
    """Somebody is in a group from now on."""
    await user_groups.add_member(context.pool, tenant, user_group_id, user_id)


@delete(_MEMBER, opt=_ADMIN)
async def drop_member(user_group_id: UUID, user_id: UUID, tenant: Tenant, context: Context) -> None:
    """Somebody leaves a group."""
    await user_groups.drop_member(context.pool, tenant, user_group_id, user_id)


@get(f"{_ONE}/shares", opt=_ADMIN, dependencies={"page": page_of("name")})
async def list_shares(
    user_group_id: UUID, tenant: Tenant, context: Context, page: Page
) -> DeviceGroupShares:
    """The groups of devices that are shared with a group."""
    return await user_groups.list_shares(context.pool, tenant, user_group_id, page)


@put(_SHARE, opt=_ADMIN, status_code=204)
async def share(user_group_id: UUID, group_id: UUID, tenant: Tenant, context: Context) -> None:
    """The people of a group see the devices of another from now on."""
    await user_groups.share(context.pool, tenant, user_group_id, group_id)


@delete(_SHARE, opt=_ADMIN)
async def unshare(user_group_id: UUID, group_id: UUID, tenant: Tenant, context: Context) -> None:
    """They see them no longer, unless another group shows them."""
    await user_groups.unshare(context.pool, tenant, user_group_id, group_id)


handlers = [
    create_user_group, list_user_groups, read_user_group, change_user_group, drop_user_group,
    list_members, put_member, drop_member, list_shares, share, unshare,
]  # fmt: skip
