"""Devices of an organization."""

from uuid import UUID

from litestar import get, post

from fleetplatform.api.access import Context
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import devices, life_cycle
from fleetplatform.wire.resources.devices import (
    Device,
    Devices,
    EnrolledDevices,
    NewDevices,
    NewStatus,
)


@post("/v1/devices/bulk")
async def enrol_devices(data: NewDevices, tenant: Tenant, context: Context) -> EnrolledDevices:
    """Enrol many devices, all of them or none; tokens are shown this once."""
    return await devices.enrol(context.pool, tenant, data.devices)


@get("/v1/devices")
async def find_devices(serial: str, tenant: Tenant, context: Context) -> Devices:
    """The device with a serial number, if the organization has it."""
    found = await devices.find(context.pool, tenant, serial, context.contact())
    return Devices(devices=tuple(found))


@get("/v1/devices/{device_id:uuid}")
async def read_device(device_id: UUID, tenant: Tenant, context: Context) -> Device:
    """One device: where it stands in its life, and whether it is online."""
    return await devices.read(context.pool, tenant, device_id, context.contact())


@post("/v1/devices/{device_id:uuid}/status", status_code=200)
async def move_device(device_id: UUID, data: NewStatus, tenant: Tenant, context: Context) -> Device:
    """Move a device on in its life; the audit log says who did it and why."""
    return await life_cycle.move(context.pool, tenant, device_id, data, context.contact())


handlers = [enrol_devices, find_devices, read_device, move_device]
