"""Geofences, and who crossed their borders."""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError, NotFoundError, StaleError
from fleetplatform.registry.geography.shapes import (
    DECIMALS,
    Box,
    bounds_of,
    bounds_of_outline,
    boxes_around,
    unrolled,
)
from fleetplatform.registry.places.time_pages import Window, after_time
from fleetplatform.registry.places.whereabouts import RADIUS_MAX_M, check_place, owner_of
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.geofences import (
    Circle,
    Geofence,
    GeofenceChange,
    GeofenceEvent,
    GeofenceEvents,
    Geofences,
    NewGeofence,
    Shape,
)

NAME_MAX = 200
CORNERS_MAX = 1_000
RADIUS_MIN_M = 0.01

_queries: Any = load(__file__)


async def create(pool: Pool, tenant: Tenant, new: NewGeofence) -> Geofence:
    """A new geofence; a device that is in it enters it with its next fix.

    Raises InvalidError (invalid, invalid_area) and ConflictError.
    """
    _check_name(new.name)
    columns = _columns(new.shape)
    try:
        async with transaction(pool, tenant) as conn:
            row = await _queries.add_geofence(
                conn, organization_id=tenant.organization, name=new.name, **columns
            )
    except asyncpg.UniqueViolationError:
        raise _taken(new.name) from None
    return _view(row)


async def read(pool: Pool, tenant: Tenant, geofence: UUID) -> Geofence:
    """One geofence; raises NotFoundError."""
    async with transaction(pool, tenant) as conn:
        return _view(await _find(conn, geofence))


async def listed(pool: Pool, tenant: Tenant, page: Page) -> Geofences:
    """The geofences, in order of name."""
    async with transaction(pool, tenant) as conn:
        found = [
            _view(row)
            async for row in _queries.list_geofences(
                conn,
                descending=page.descending,
                after_name=page.after_value,
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (one.name, one.geofence_id))
    return Geofences(geofences=shown, next_cursor=cursor)


async def change(
    pool: Pool, tenant: Tenant, geofence: UUID, new: GeofenceChange, expected: int | None
) -> Geofence:
    """Give it another name or area; who is inside is told from the next fix of each device.

    Raises InvalidError, ConflictError, NotFoundError, StaleError.
    """
    columns = None if new.shape is msgspec.UNSET else _columns(new.shape)
    if new.name is not msgspec.UNSET:
        _check_name(new.name)
    try:
        async with transaction(pool, tenant) as conn:
            row = await _lock(conn, tenant, geofence, expected)
            known = {"organization_id": tenant.organization, "geofence_id": geofence}
            if new.name is not msgspec.UNSET:
                row = await _queries.rename_geofence(conn, **known, name=new.name)
            if columns is not None:
                row = await _queries.reshape_geofence(conn, **known, **columns)
    except asyncpg.UniqueViolationError:
        raise _taken(str(new.name)) from None
    return _view(row)


async def delete(pool: Pool, tenant: Tenant, geofence: UUID, expected: int | None) -> None:
    """Make no more events of it; raises NotFoundError, StaleError."""
    async with transaction(pool, tenant) as conn:
        await _lock(conn, tenant, geofence, expected)
        await _queries.delete_geofence(
            conn, organization_id=tenant.organization, geofence_id=geofence
        )


async def events(
    pool: Pool, tenant: Tenant, geofence: UUID, window: Window, page: Page
) -> GeofenceEvents:
    """Who crossed its border, in order of time; raises NotFoundError, InvalidError."""
    asked = {"after_time": after_time(page), "after_id": page.after_id, **window.bounds()}
    async with transaction(pool, tenant) as conn:
        row = await _find(conn, geofence)
        found = [
            _event(row)
            async for row in _queries.events_of_geofence(
                conn,
                organization_id=row["organization_id"],
                geofence_id=geofence,
                descending=page.descending,
                count=page.limit + 1,
                **asked,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (str(one.occurred_at_us), one.device_id))
    return GeofenceEvents(events=shown, next_cursor=cursor)


async def events_of_device(
    pool: Pool, tenant: Tenant, device: UUID, window: Window, page: Page
) -> GeofenceEvents:
    """Which borders a device crossed, in order of time; raises NotFoundError, InvalidError."""
    asked = {"after_time": after_time(page), "after_id": page.after_id, **window.bounds()}
    async with transaction(pool, tenant) as conn:
        owner = await owner_of(conn, device)
        found = [
            _event(row)
            async for row in _queries.events_of_device(
                conn,
                organization_id=owner,
                device_id=device,
                descending=page.descending,
                count=page.limit + 1,
                **asked,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (str(one.occurred_at_us), one.geofence_id))
    return GeofenceEvents(events=shown, next_cursor=cursor)


async def _find(conn: Connection, geofence: UUID) -> Any:
    row = await _queries.find_geofence(conn, geofence_id=geofence)
    if row is None:
        raise _missing()
    return row


async def _lock(conn: Connection, tenant: Tenant, geofence: UUID, expected: int | None) -> Any:
    row = await _queries.lock_geofence(
        conn, organization_id=tenant.organization, geofence_id=geofence
    )
    if row is None:
        raise _missing()
    if expected is not None and row["revision"] != expected:
        raise StaleError("the geofence was changed since it was read: read it again")
    return row


def _missing() -> NotFoundError:
    return NotFoundError("the organization has no such geofence")


def _taken(name: str) -> ConflictError:
    return ConflictError(f"there is a geofence {name!r} already: give it another name")


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_MAX or "\0" in name:
        raise InvalidError(f"name: write 1 to {NAME_MAX} characters")


def _columns(shape: Shape) -> dict[str, Any]:
    """A shape as it is stored; raises InvalidError (invalid_area)."""
    if (shape.circle is None) == (shape.polygon is None):
        raise InvalidError("shape: give either a circle or a polygon", code="invalid_area")
    found = _circle(shape.circle) if shape.circle is not None else _polygon(shape.polygon or ())
    return found | {"shape": msgspec.to_builtins(shape)}


def _circle(circle: Circle) -> dict[str, Any]:
    check_place("shape.circle", circle.latitude, circle.longitude)
    if not RADIUS_MIN_M <= circle.radius_m <= RADIUS_MAX_M:
        raise InvalidError(
            f"shape.circle.radius_m: write {RADIUS_MIN_M:g} to {RADIUS_MAX_M:.0f} m",
            code="invalid_area",
        )
    latitude, longitude = round(circle.latitude, DECIMALS), round(circle.longitude, DECIMALS)
    bounds = bounds_of(boxes_around(latitude, longitude, circle.radius_m))
    return {
        "latitude": latitude, "longitude": longitude, "radius_m": circle.radius_m,
        "outline": None, **_edges(bounds),
    }  # fmt: skip


def _polygon(corners: tuple[tuple[float, float], ...]) -> dict[str, Any]:
    if not 3 <= len(corners) <= CORNERS_MAX:
        raise InvalidError(
            f"shape.polygon: write 3 to {CORNERS_MAX} corners", code="invalid_area"
        )
    for at, (latitude, longitude) in enumerate(corners):
        check_place(f"shape.polygon[{at}]", latitude, longitude)
    outline = unrolled([(round(a, DECIMALS), round(b, DECIMALS)) for a, b in corners])
    if outline is None:
        raise InvalidError(
            "shape.polygon: it has no area or goes around a pole; use a circle there",
            code="invalid_area",
        )
    polygon = asyncpg.Polygon(*((longitude, latitude) for latitude, longitude in outline))
    return {
        "latitude": None, "longitude": None, "radius_m": None, "outline": polygon,
        **_edges(bounds_of_outline(outline)),
    }  # fmt: skip


def _edges(box: Box) -> dict[str, float]:
    return {"south": box.south, "west": box.west, "north": box.north, "east": box.east}


def _view(row: Any) -> Geofence:
    return Geofence(
        organization_id=row["organization_id"],
        geofence_id=row["geofence_id"],
        name=row["name"],
        shape=msgspec.convert(row["shape"], Shape),
        created_at_us=to_us(row["created_at"]),
        revision=row["revision"],
    )


def _event(row: Any) -> GeofenceEvent:
    return GeofenceEvent(
        organization_id=row["organization_id"],
        geofence_id=row["geofence_id"],
        device_id=row["device_id"],
        event=row["event"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        occurred_at_us=to_us(row["occurred_at"]),
    )
