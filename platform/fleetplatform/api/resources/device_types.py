"""The catalogue of device types, kept by the operator."""

from litestar import put

from fleetplatform.api.access import Context, operator_only
from fleetplatform.errors import InvalidError
from fleetplatform.registry import device_types
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.resources import DeviceType


@put("/v1/device-types/{name:str}", guards=[operator_only])
async def put_device_type(name: str, data: DeviceTypeSpecification, context: Context) -> DeviceType:
    """Store a device type, new or changed; devices enrolled before keep their sensors."""
    if data.name != name:
        raise InvalidError(f"name: the path says {name!r}, the body {data.name!r}")
    return await device_types.put(context.pool, data)


handlers = [put_device_type]
