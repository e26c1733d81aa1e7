"""Devices of an organization."""

from typing import Annotated
from uuid import UUID

from litestar import get, patch, post
from litestar.di import Provide
from litestar.params import Parameter, QueryParameter

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import device_list, devices, life_cycle
from fleetplatform.registry.device_list import DeviceFilter
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.devices import (
    Device,
    DeviceChange,
    Devices,
    DeviceStatus,
    EnrolledDevices,
    NewDevices,
    NewStatus,
)

SORTS = ("serial_number", "created")


def provide_filter(
    serial: Annotated[str | None, Parameter(description="exactly this serial number")] = None,
    device_type: Annotated[str | None, QueryParameter(name="type", description="its name")] = None,
    status: Annotated[DeviceStatus | None, Parameter(description="where it is in its life")] = None,
    tag: Annotated[list[str] | None, Parameter(description="repeatable; all of them")] = None,
    group: Annotated[UUID | None, Parameter(description="a device group it is in")] = None,
    firmware: Annotated[str | None, Parameter(description="exactly this version")] = None,
    gateway: Annotated[UUID | None, Parameter(description="the device that speaks for it")] = None,
    online: Annotated[bool | None, Parameter(description="whether it was heard of lately")] = None,
) -> DeviceFilter:
    """Which devices a list is asked for."""
    return DeviceFilter(
        serial=serial,
        type=device_type,
        status=status,
        tags=None if tag is None else tuple(tag),
        group_id=group,
        firmware=firmware,
        gateway_id=gateway,
        online=online,
    )


@post("/v1/devices/bulk")
async def enrol_devices(data: NewDevices, tenant: Tenant, context: Context) -> EnrolledDevices:
    """Enrol many devices, all of them or none; tokens are shown this once."""
    return await devices.enrol(context.pool, tenant, data.devices)


@get(
    "/v1/devices",
    dependencies={
        "page": page_of(*SORTS),
        "wanted": Provide(provide_filter, sync_to_thread=False),
    },
)
async def list_devices(
    tenant: Tenant, context: Context, page: Page, wanted: DeviceFilter
) -> Devices:
    """A page of the devices that the organization and those below it have."""
    return await device_list.listed(context.pool, tenant, wanted, page, context.contact())


@get("/v1/devices/{device_id:uuid}")
async def read_device(device_id: UUID, tenant: Tenant, context: Context) -> Device:
    """One device: where it stands in its life, and whether it is online."""
    return await devices.read(context.pool, tenant, device_id, context.contact())


@patch("/v1/devices/{device_id:uuid}")
async def change_device(
    device_id: UUID, data: DeviceChange, tenant: Tenant, context: Context, expected: int | None
) -> Device:
    """Change its tags, its firmware or its gateway; dynamic groups follow at once."""
    return await devices.change(
        context.pool, tenant, device_id, data, expected, context.contact()
    )


@post("/v1/devices/{device_id:uuid}/status", status_code=200)
async def move_device(device_id: UUID, data: NewStatus, tenant: Tenant, context: Context) -> Device:
    """Move a device on in its life; the audit log says who did it and why."""
    return await life_cycle.move(context.pool, tenant, device_id, data, context.contact())


handlers = [enrol_devices, list_devices, read_device, change_device, move_device]
