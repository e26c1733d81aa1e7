"""Groups of devices: static ones with members that are named, dynamic ones with a rule.

The database keeps the members of dynamic groups itself, in the transaction of every change of a
device or a rule, so whoever asks after the answer sees them as they must be.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import UNSET

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError, NotFoundError, StaleError
from fleetplatform.registry import group_rules
from fleetplatform.registry.device_list import instant_after
from fleetplatform.registry.devices import NO_DEVICE
from fleetplatform.timeseries.instants import EARLIEST, to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.device_groups import (
    DeviceGroup,
    DeviceGroupChange,
    DeviceGroups,
    GroupKind,
    NewDeviceGroup,
)

NAME_MAX = 200
MEMBERS_MAX = 10_000
LATEST = datetime.max.replace(tzinfo=UTC)
NO_GROUP = "the organization has no such device group"

_queries: Any = load(__file__)


async def create(pool: Pool, tenant: Tenant, new: NewDeviceGroup) -> DeviceGroup:
    """Make a group; a dynamic one has its members at once.

    Raises InvalidError for a name or rule that cannot be, ConflictError for a name that is taken.
    """
    _check_name(new.name)
    if new.kind == "dynamic":
        group_rules.check(new.rule)
    elif new.rule is not None:
        raise InvalidError("rule: a static group has none; add its members", code="group_is_static")
    try:
        async with transaction(pool, tenant) as conn:
            row = await _queries.add_device_group(
                conn,
                organization_id=tenant.organization,
                name=new.name,
                kind=new.kind,
                rule=new.rule,
            )
    except asyncpg.UniqueViolationError:
        raise _taken(new.name) from None
    return _view(row)


async def listed(pool: Pool, tenant: Tenant, kind: GroupKind | None, page: Page) -> DeviceGroups:
    """A page of the groups that are seen, all or those of one kind."""
    async with transaction(pool, tenant) as conn:
        rows = _rows(conn, kind, page)
        found = [_view(row) async for row in rows]
    shown, following = cut(found, page, lambda one: (_value(one, page.sort), one.group_id))
    return DeviceGroups(device_groups=shown, next_cursor=following)


def _rows(conn: Connection, kind: GroupKind | None, page: Page) -> Any:
    ask = {
        ("name", False): _queries.device_groups_by_name,
        ("name", True): _queries.device_groups_by_name_down,
        ("created", False): _queries.device_groups_by_time,
        ("created", True): _queries.device_groups_by_time_down,
    }[page.sort, page.descending]
    value, after_id = _start(page)
    return ask(conn, kind=kind, after_value=value, after_id=after_id, count=page.limit + 1)


def _start(page: Page) -> tuple[Any, UUID | None]:
    """After what a page begins; before everything where it is the first."""
    if page.after_id is not None:
        value = page.after_value if page.sort == "name" else instant_after(page)
        return value, page.after_id
    if page.sort == "name":
        return "", None if page.descending else UUID(int=0)
    return LATEST if page.descending else EARLIEST, UUID(int=0)


def _value(group: DeviceGroup, sort: str) -> str:
    return group.name if sort == "name" else str(group.created_us)


async def read(pool: Pool, tenant: Tenant, group: UUID) -> DeviceGroup:
    """One group that the organization sees; raises NotFoundError for any other."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.find_device_group(conn, group_id=group)
    if row is None:
        raise NotFoundError(NO_GROUP)
    return _view(row)


async def change(
    pool: Pool, tenant: Tenant, group: UUID, wanted: DeviceGroupChange, expected: int | None
) -> DeviceGroup:
    """Give a group another name or rule; with a new rule it has its members at once.

    Raises what `create` raises, NotFoundError, and StaleError where the group has another revision
    than the expected one.
    """
    name = None if wanted.name is UNSET else wanted.name
    rule = None if wanted.rule is UNSET else wanted.rule
    if name is not None:
        _check_name(name)
    try:
        async with transaction(pool, tenant) as conn:
            kind = await _own(conn, tenant.organization, group)
            if rule is not None:
                if kind == "static":
                    said = "rule: a static group has none; add its members"
                    raise InvalidError(said, code="group_is_static")
                group_rules.check(rule)
            row = await _queries.change_device_group(
                conn,
                organization_id=tenant.organization,
                group_id=group,
                expected=expected,
                name=name,
                rule=rule,
            )
            if row is None:
                await _refuse(conn, tenant.organization, group)
    except asyncpg.UniqueViolationError:
        raise _taken(name or "") from None
    return _view(row)


async def delete(pool: Pool, tenant: Tenant, group: UUID, expected: int | None) -> None:
    """Delete a group; its devices stay. Raises NotFoundError and StaleError."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.delete_device_group(
            conn, organization_id=tenant.organization, group_id=group, expected=expected
        )
        if row is None:
            await _refuse(conn, tenant.organization, group)


async def add_members(pool: Pool, tenant: Tenant, group: UUID, devices: Sequence[UUID]) -> int:
    """Put devices into a static group, all or none; how many were not in it before.

    Raises NotFoundError for a group or a device that the organization does not have, and
    ConflictError (group_is_dynamic).
    """
    distinct = list(set(devices))
    if len(distinct) > MEMBERS_MAX:
        raise InvalidError(f"device_ids: give {MEMBERS_MAX} at most at once, not {len(distinct)}")
    owner = tenant.organization
    try:
        async with transaction(pool, tenant) as conn:
            await _queries.keep_to_indexes(conn)
            await _own_static(conn, owner, group)
            known = await _queries.own_devices(conn, organization_id=owner, device_ids=distinct)
            if known != len(distinct):
                raise NotFoundError(NO_DEVICE)
            added: int = await _queries.add_members(
                conn, organization_id=owner, group_id=group, device_ids=distinct
            )
    except asyncpg.ForeignKeyViolationError:
        raise NotFoundError(NO_GROUP) from None
    return added


async def remove_member(pool: Pool, tenant: Tenant, group: UUID, device: UUID) -> None:
    """Take a device out of a static group, if it is in it; raises what `add_members` raises."""
    owner = tenant.organization
    async with transaction(pool, tenant) as conn:
        await _own_static(conn, owner, group)
        if not await _queries.own_devices(conn, organization_id=owner, device_ids=[device]):
            raise NotFoundError(NO_DEVICE)
        await _queries.remove_member(
            conn, organization_id=owner, group_id=group, device_id=device
        )


async def _own(conn: Connection, organization: UUID, group: UUID) -> str:
    """The kind of a group of the organization's own; raises NotFoundError."""
    row = await _queries.own_device_group(conn, organization_id=organization, group_id=group)
    if row is None:
        raise NotFoundError(NO_GROUP)
    kind: str = row["kind"]
    return kind


async def _own_static(conn: Connection, organization: UUID, group: UUID) -> None:
    if await _own(conn, organization, group) == "dynamic":
        said = "the rule of a dynamic group says its members; change the rule, or a device"
        raise ConflictError(said, code="group_is_dynamic")


async def _refuse(conn: Connection, organization: UUID, group: UUID) -> None:
    """Say why a group was not changed."""
    await _own(conn, organization, group)
    raise StaleError("the device group was changed since it was read; read it again")


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_MAX or "\0" in name:
        raise InvalidError(f"name: a group's name has 1 to {NAME_MAX} characters")


def _taken(name: str) -> ConflictError:
    said = f'name: there is a device group "{name}" already'
    return ConflictError(said, code="group_name_taken")


def _view(row: Any) -> DeviceGroup:
    return DeviceGroup(
        revision=row["revision"],
        organization_id=row["organization_id"],
        group_id=row["group_id"],
        name=row["name"],
        kind=row["kind"],
        rule=row["rule"],
        created_us=to_us(row["created_at"]),
    )
