"""Devices of an organization."""

from uuid import UUID

from litestar import get, post

from fleetplatform.api.access import Context
from fleetplatform.registry import devices, life_cycle
from fleetplatform.registry.life_cycle import Actor
from fleetplatform.wire.resources import Device, Devices, EnrolledDevices, NewDevices, NewStatus


@post("/v1/devices/bulk")
async def enrol_devices(data: NewDevices, organization: UUID, context: Context) -> EnrolledDevices:
    """Enrol many devices, all of them or none; tokens are shown this once."""
    return await devices.enrol(context.pool, organization, data.devices)


@get("/v1/devices")
async def find_devices(serial: str, organization: UUID, context: Context) -> Devices:
    """The device with a serial number, if the organization has it."""
    found = await devices.find(context.pool, organization, serial, context.contact())
    return Devices(devices=tuple(found))


@get("/v1/devices/{device_id:uuid}")
async def read_device(device_id: UUID, organization: UUID, context: Context) -> Device:
    """One device: where it stands in its life, and whether it is online."""
    return await devices.read(context.pool, organization, device_id, context.contact())


@post("/v1/devices/{device_id:uuid}/status", status_code=200)
async def move_device(device_id: UUID, data: NewStatus, actor: Actor, context: Context) -> Device:
    """Move a device on in its life; the audit log says who did it and why."""
    return await life_cycle.move(context.pool, actor, device_id, data, context.contact())


handlers = [enrol_devices, find_devices, read_device, move_device]
