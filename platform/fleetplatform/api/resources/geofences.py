"""Geofences of an organization."""

from uuid import UUID

from litestar import delete, get, patch, post

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.api.resources.places import Instant
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry.places import geofences
from fleetplatform.registry.places.time_pages import LATEST_US, Window
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.geofences import (
    Geofence,
    GeofenceChange,
    GeofenceEvents,
    Geofences,
    NewGeofence,
)


@post("/v1/geofences")
async def create_geofence(data: NewGeofence, tenant: Tenant, context: Context) -> Geofence:
    """A new geofence; a device that is in it enters it with its next fix."""
    return await geofences.create(context.pool, tenant, data)


@get("/v1/geofences", dependencies={"page": page_of("name")})
async def list_geofences(tenant: Tenant, context: Context, page: Page) -> Geofences:
    """The geofences, in order of name."""
    return await geofences.listed(context.pool, tenant, page)


@get("/v1/geofences/{geofence_id:uuid}")
async def read_geofence(geofence_id: UUID, tenant: Tenant, context: Context) -> Geofence:
    """One geofence."""
    return await geofences.read(context.pool, tenant, geofence_id)


@patch("/v1/geofences/{geofence_id:uuid}")
async def change_geofence(
    geofence_id: UUID, data: GeofenceChange, tenant: Tenant, context: Context, expected: int | None
) -> Geofence:
    """Give a geofence another name or shape."""
    return await geofences.change(context.pool, tenant, geofence_id, data, expected)


@delete("/v1/geofences/{geofence_id:uuid}")
async def delete_geofence(
    geofence_id: UUID, tenant: Tenant, context: Context, expected: int | None
) -> None:
    """Make no more events of a geofence; those that there are stay with their devices."""
    await geofences.delete(context.pool, tenant, geofence_id, expected)


@get("/v1/geofences/{geofence_id:uuid}/events", dependencies={"page": page_of("occurred_at")})
async def list_events(
    geofence_id: UUID,
    tenant: Tenant,
    context: Context,
    page: Page,
    from_us: Instant = 0,
    until_us: Instant = LATEST_US,
) -> GeofenceEvents:
    """Which devices entered and left a geofence."""
    window = Window(from_us, until_us)
    return await geofences.events(context.pool, tenant, geofence_id, window, page)


handlers = [
    create_geofence,
    list_geofences,
    read_geofence,
    change_geofence,
    delete_geofence,
    list_events,
]
