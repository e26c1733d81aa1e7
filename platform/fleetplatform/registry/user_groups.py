"""Groups of people, and the groups of devices that are shared with them."""

from typing import Any
from uuid import UUID

import asyncpg
from msgspec import UNSET

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, NotFoundError
from fleetplatform.registry.organizations import keyset
from fleetplatform.registry.revisions import check_revision
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.users import (
    DeviceGroupShare,
    DeviceGroupShares,
    NewUserGroup,
    UserGroup,
    UserGroupChange,
    UserGroupMember,
    UserGroupMembers,
    UserGroups,
)

_UNKNOWN = "the organization has no such group of users"
_queries: Any = load(__file__)


async def create(pool: Pool, tenant: Tenant, new: NewUserGroup) -> UserGroup:
    """A group with nobody in it; raises ConflictError (name_taken)."""
    try:
        async with transaction(pool, tenant) as conn:
            row = await _queries.add_user_group(
                conn, organization_id=tenant.organization, name=new.name
            )
    except asyncpg.UniqueViolationError:
        raise _taken(new.name) from None
    return _shown(row)


async def read(pool: Pool, tenant: Tenant, group: UUID) -> UserGroup:
    """One group; raises NotFoundError for one that is not seen."""
    async with transaction(pool, tenant) as conn:
        return _shown(await _find(conn, group))


async def list_page(pool: Pool, tenant: Tenant, page: Page) -> UserGroups:
    """A part of the groups that are seen, sorted by name or created."""
    async with transaction(pool, tenant) as conn:
        found = [
            _shown(row)
            async for row in _queries.list_user_groups(conn, **keyset(page), count=page.limit + 1)
        ]
    shown, cursor = cut(found, page, lambda one: (one.name, one.user_group_id))
    return UserGroups(user_groups=shown, next_cursor=cursor)


async def change(
    pool: Pool, tenant: Tenant, group: UUID, new: UserGroupChange, expected: int | None
) -> UserGroup:
    """Another name; raises NotFoundError, StaleError, ConflictError (name_taken)."""
    try:
        async with transaction(pool, tenant) as conn:
            await _lock(conn, tenant, group, expected)
            row = await _queries.change_user_group(
                conn,
                organization_id=tenant.organization,
                user_group_id=group,
                name=None if new.name is UNSET else new.name,
            )
    except asyncpg.UniqueViolationError:
        raise _taken(new.name) from None
    return _shown(row)


async def drop(pool: Pool, tenant: Tenant, group: UUID, expected: int | None) -> None:
    """The group goes, and what was shared with it; raises NotFoundError, StaleError."""
    async with transaction(pool, tenant) as conn:
        await _lock(conn, tenant, group, expected)
        await _queries.drop_user_group(
            conn, organization_id=tenant.organization, user_group_id=group
        )


async def add_member(pool: Pool, tenant: Tenant, group: UUID, user: UUID) -> None:
    """Somebody is in a group; raises NotFoundError."""
    await _tie(pool, tenant, _queries.add_user_group_member, group, {"user_id": user}, "user")


async def drop_member(pool: Pool, tenant: Tenant, group: UUID, user: UUID) -> None:
    """Somebody leaves a group; raises NotFoundError where they are not in it."""
    await _untie(pool, tenant, _queries.drop_user_group_member, group, {"user_id": user})


async def share(pool: Pool, tenant: Tenant, group: UUID, devices: UUID) -> None:
    """A group of devices is shared with a group of people; raises NotFoundError."""
    ends = {"group_id": devices}
    await _tie(pool, tenant, _queries.add_device_group_share, group, ends, "group of devices")


async def unshare(pool: Pool, tenant: Tenant, group: UUID, devices: UUID) -> None:
    """It is shared no longer; raises NotFoundError where it was not."""
    await _untie(pool, tenant, _queries.drop_device_group_share, group, {"group_id": devices})


async def list_members(pool: Pool, tenant: Tenant, group: UUID, page: Page) -> UserGroupMembers:
    """A part of who is in a group, in order of name; raises NotFoundError."""
    rows = await _ends(pool, tenant, _queries.list_user_group_members, group, page)
    found = [
        UserGroupMember(
            user_id=row["user_id"],
            name=row["name"],
            role=row["role"],
            sees_all=row["sees_all"],
            active=row["deactivated_at"] is None,
        )
        for row in rows
    ]
    shown, cursor = cut(found, page, lambda one: (one.name, one.user_id))
    return UserGroupMembers(members=shown, next_cursor=cursor)


async def list_shares(pool: Pool, tenant: Tenant, group: UUID, page: Page) -> DeviceGroupShares:
    """A part of the groups of devices that are shared with a group; raises NotFoundError."""
    rows = await _ends(pool, tenant, _queries.list_device_group_shares, group, page)
    found = [
        DeviceGroupShare(group_id=row["group_id"], name=row["name"], kind=row["kind"])
        for row in rows
    ]
    shown, cursor = cut(found, page, lambda one: (one.name, one.group_id))
    return DeviceGroupShares(shares=shown, next_cursor=cursor)


async def _tie(
    pool: Pool, tenant: Tenant, query: Any, group: UUID, end: dict[str, UUID], kind: str
) -> None:
    try:
        async with transaction(pool, tenant) as conn:
            await query(
                conn, organization_id=tenant.organization, user_group_id=group, **end
            )
    except asyncpg.ForeignKeyViolationError as error:
        ours = "user_group_id" in (error.constraint_name or "")
        raise NotFoundError(_UNKNOWN if ours else f"the organization has no such {kind}") from None


async def _untie(
    pool: Pool, tenant: Tenant, query: Any, group: UUID, end: dict[str, UUID]
) -> None:
    async with transaction(pool, tenant) as conn:
        gone = await query(conn, organization_id=tenant.organization, user_group_id=group, **end)
    if gone is None:
        raise NotFoundError("the organization has no such tie")


async def _ends(pool: Pool, tenant: Tenant, query: Any, group: UUID, page: Page) -> list[Any]:
    place = keyset(page)
    del place["sort"]
    async with transaction(pool, tenant) as conn:
        await _find(conn, group)
        rows = query(conn, user_group_id=group, **place, count=page.limit + 1)
        return [row async for row in rows]


async def _find(conn: Connection, group: UUID) -> Any:
    row = await _queries.find_user_group(conn, user_group_id=group)
    if row is None:
        raise NotFoundError(_UNKNOWN)
    return row


async def _lock(conn: Connection, tenant: Tenant, group: UUID, expected: int | None) -> None:
    row = await _queries.lock_user_group(
        conn, organization_id=tenant.organization, user_group_id=group
    )
    if row is None:
        raise NotFoundError(_UNKNOWN)
    check_revision(row["revision"], expected)


def _taken(name: object) -> ConflictError:
    return ConflictError(f"name: there is a group {name!r} already", code="name_taken")


def _shown(row: Any) -> UserGroup:
    """A row of a group as the API shows it."""
    return UserGroup(
        organization_id=row["organization_id"],
        user_group_id=row["user_group_id"],
        name=row["name"],
        created_at_us=to_us(row["created_at"]),
        revision=row["revision"],
    )
