"""Where devices are and were."""

from typing import Annotated
from uuid import UUID

from litestar import get, put
from litestar.params import Parameter

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import InvalidError
from fleetplatform.registry.places import geofences, whereabouts
from fleetplatform.registry.places.time_pages import LATEST_US, Window
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.geofences import GeofenceEvents
from fleetplatform.wire.resources.places import Location, Locations, NewLocation, PlacedDevices

Instant = Annotated[int, Parameter(ge=0, le=LATEST_US, description="µs since 1970, virtual")]
Near = Annotated[str | None, Parameter(description="latitude,longitude of the middle of a circle")]
Radius = Annotated[float | None, Parameter(description="of the circle around near, in m")]
Edges = Annotated[
    str | None,
    Parameter(description="south,west,north,east; over the antimeridian west is above east"),
]


@put("/v1/devices/{device_id:uuid}/location")
async def put_location(
    device_id: UUID, data: NewLocation, tenant: Tenant, context: Context
) -> Location:
    """Say where a device is; what is older than its place goes into its history only."""
    now_us = context.clock.now_us()
    return await whereabouts.place(context.pool, tenant, device_id, data, now_us)


@get("/v1/devices/{device_id:uuid}/location")
async def read_location(device_id: UUID, tenant: Tenant, context: Context) -> Location:
    """Where a device is."""
    return await whereabouts.read(context.pool, tenant, device_id)


@get("/v1/devices/{device_id:uuid}/locations", dependencies={"page": page_of("valid_from")})
async def list_locations(
    device_id: UUID,
    tenant: Tenant,
    context: Context,
    page: Page,
    from_us: Instant = 0,
    until_us: Instant = LATEST_US,
) -> Locations:
    """Where a device was, one fix after the other."""
    window = Window(from_us, until_us)
    return await whereabouts.history(context.pool, tenant, device_id, window, page)


@get("/v1/devices/{device_id:uuid}/geofence-events", dependencies={"page": page_of("occurred_at")})
async def list_crossings(
    device_id: UUID,
    tenant: Tenant,
    context: Context,
    page: Page,
    from_us: Instant = 0,
    until_us: Instant = LATEST_US,
) -> GeofenceEvents:
    """Which geofences a device entered and left."""
    window = Window(from_us, until_us)
    return await geofences.events_of_device(context.pool, tenant, device_id, window, page)


@get("/v1/locations", dependencies={"page": page_of("distance")})
async def find_locations(
    tenant: Tenant,
    context: Context,
    page: Page,
    near: Near = None,
    radius: Radius = None,
    box: Edges = None,
) -> PlacedDevices:
    """The devices in a circle or a box, by distance from its middle."""
    area = area_of(near, radius, box)
    return await whereabouts.within(context.pool, tenant, area, page)


def area_of(near: str | None, radius: float | None, box: str | None) -> whereabouts.Area:
    """The circle or the box that is asked for; raises InvalidError (invalid_area)."""
    if near is not None and radius is not None and box is None:
        latitude, longitude = _numbers("near=latitude,longitude", near)
        return whereabouts.circle(latitude, longitude, radius)
    if box is not None and near is None and radius is None:
        south, west, north, east = _numbers("box=south,west,north,east", box)
        return whereabouts.box(south, west, north, east)
    raise InvalidError("give near and radius, or box", code="invalid_area")


def _numbers(form: str, text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != form.count(",") + 1:
        raise InvalidError(f"write {form} in degrees", code="invalid_area")
    return numbers


handlers = [put_location, read_location, list_locations, list_crossings, find_locations]
