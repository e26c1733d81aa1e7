"""Groups of devices of an organization."""

from uuid import UUID

from litestar import delete, get, patch, post, put

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import device_groups, device_list
from fleetplatform.registry.device_list import DeviceFilter
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.device_groups import (
    AddedMembers,
    DeviceGroup,
    DeviceGroupChange,
    DeviceGroups,
    GroupKind,
    NewDeviceGroup,
    NewMembers,
)
from fleetplatform.wire.resources.devices import Devices


@post("/v1/device-groups")
async def create_device_group(
    data: NewDeviceGroup, tenant: Tenant, context: Context
) -> DeviceGroup:
    """Make a group; a dynamic one has the devices that match its rule from now on."""
    return await device_groups.create(context.pool, tenant, data)


@get("/v1/device-groups", dependencies={"page": page_of("name", "created")})
async def list_device_groups(
    tenant: Tenant, context: Context, page: Page, kind: GroupKind | None = None
) -> DeviceGroups:
    """A page of the groups that the organization and those below it have."""
    return await device_groups.listed(context.pool, tenant, kind, page)


@get("/v1/device-groups/{group_id:uuid}")
async def read_device_group(group_id: UUID, tenant: Tenant, context: Context) -> DeviceGroup:
    """One group."""
    return await device_groups.read(context.pool, tenant, group_id)


@patch("/v1/device-groups/{group_id:uuid}")
async def change_device_group(
    group_id: UUID, data: DeviceGroupChange, tenant: Tenant, context: Context, expected: int | None
) -> DeviceGroup:
    """Give a group another name or rule; its members follow the rule at once."""
    return await device_groups.change(context.pool, tenant, group_id, data, expected)


@delete("/v1/device-groups/{group_id:uuid}")
async def delete_device_group(
    group_id: UUID, tenant: Tenant, context: Context, expected: int | None
) -> None:
    """Delete a group and what it is shared with; its devices stay."""
    await device_groups.delete(context.pool, tenant, group_id, expected)


@get(
    "/v1/device-groups/{group_id:uuid}/devices",
    dependencies={"page": page_of("serial_number", "created")},
)
async def list_group_devices(
    group_id: UUID, tenant: Tenant, context: Context, page: Page
) -> Devices:
    """A page of the devices in a group."""
    await device_groups.read(context.pool, tenant, group_id)
    wanted = DeviceFilter(group_id=group_id)
    return await device_list.listed(context.pool, tenant, wanted, page, context.contact())


@post("/v1/device-groups/{group_id:uuid}/members")
async def add_members(
    group_id: UUID, data: NewMembers, tenant: Tenant, context: Context
) -> AddedMembers:
    """Put devices into a static group, all of them or none."""
    added = await device_groups.add_members(context.pool, tenant, group_id, data.device_ids)
    return AddedMembers(added=added)


@put("/v1/device-groups/{group_id:uuid}/members/{device_id:uuid}", status_code=204)
async def add_member(group_id: UUID, device_id: UUID, tenant: Tenant, context: Context) -> None:
    """Put a device into a static group."""
    await device_groups.add_members(context.pool, tenant, group_id, [device_id])


@delete("/v1/device-groups/{group_id:uuid}/members/{device_id:uuid}")
async def remove_member(group_id: UUID, device_id: UUID, tenant: Tenant, context: Context) -> None:
    """Take a device out of a static group."""
    await device_groups.remove_member(context.pool, tenant, group_id, device_id)


handlers = [
    create_device_group, list_device_groups, read_device_group, change_device_group,
    delete_device_group, list_group_devices, add_members, add_member, remove_member,
]  # fmt: skip
