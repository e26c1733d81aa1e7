"""The catalogue of device types, kept by the operator, read by everybody who is known."""

from uuid import UUID

from litestar import get, put

from fleetplatform.api.access import Context, operator_only, operator_or_member
from fleetplatform.api.paging import page_of
from fleetplatform.errors import InvalidError
from fleetplatform.registry import device_types
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.device_types import DeviceType, DeviceTypes


@put("/v1/device-types/{name:str}", guards=[operator_only])
async def put_device_type(name: str, data: DeviceTypeSpecification, context: Context) -> DeviceType:
    """Store a version of a device type; devices enrolled before keep the version they have."""
    if data.name != name:
        raise InvalidError(f"name: the path says {name!r}, the body {data.name!r}")
    return await device_types.put(context.pool, data)


@get(
    "/v1/device-types", guards=[operator_or_member], dependencies={"page": page_of("name")}
)
async def list_device_types(context: Context, page: Page) -> DeviceTypes:
    """Device types as they were put last, in order of name."""
    found, next_cursor = cut(await device_types.listed(context.pool, page), page, _place)
    return DeviceTypes(device_types=found, next_cursor=next_cursor)


def _place(one: DeviceType) -> tuple[str, UUID]:
    return one.specification.name, one.device_type_id


@get("/v1/device-types/{name:str}", guards=[operator_or_member])
async def read_device_type(name: str, context: Context, version: str | None = None) -> DeviceType:
    """One version of a device type, the one that was put last by default."""
    return await device_types.read(context.pool, name, version)


handlers = [put_device_type, list_device_types, read_device_type]
