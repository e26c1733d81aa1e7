"""Devices of an organization."""

from uuid import UUID

from litestar import get, post

from fleetplatform.api.access import Context
from fleetplatform.registry import devices
from fleetplatform.wire.resources import Devices, EnrolledDevices, NewDevices


@post("/v1/devices/bulk")
async def enrol_devices(data: NewDevices, organization: UUID, context: Context) -> EnrolledDevices:
    """Enrol many devices, all of them or none; tokens are shown this once."""
    return await devices.enrol(context.pool, organization, data.devices)


@get("/v1/devices")
async def find_devices(serial: str, organization: UUID, context: Context) -> Devices:
    """The device with a serial number, if the organization has it."""
    return Devices(devices=tuple(await devices.find(context.pool, organization, serial)))


handlers = [enrol_devices, find_devices]
