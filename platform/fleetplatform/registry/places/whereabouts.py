"""Where devices are, where they were, and which are in an area."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError, NotFoundError
from fleetplatform.registry.geography.shapes import DECIMALS, Box, boxes_around, boxes_of, middle_of
from fleetplatform.registry.places.time_pages import Window, after_number, after_time
from fleetplatform.timeseries.instants import to_datetime, to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.places import (
    Location,
    Locations,
    NewLocation,
    PlacedDevice,
    PlacedDevices,
)

AHEAD_US = 60_000_000
"""How far ahead of the platform's clock somebody may say where a device is."""
RADIUS_MAX_M = 20_020_000.0
"""A little more than half way round: everything."""

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Area:
    """Part of the globe as boxes of the index, and the place that distances count from.

    radius_m: only what is so near, None: all in the boxes.
    """

    boxes: Sequence[Box]
    latitude: float
    longitude: float
    radius_m: float | None


def circle(latitude: float, longitude: float, radius_m: float) -> Area:
    """All that is at most `radius_m` from a place; raises InvalidError (invalid_area)."""
    check_place("near", latitude, longitude)
    if not 0 < radius_m <= RADIUS_MAX_M:
        raise _impossible(f"radius: {radius_m:g} is not above 0 m and at most {RADIUS_MAX_M:.0f} m")
    return Area(boxes_around(latitude, longitude, radius_m), latitude, longitude, radius_m)


def box(south: float, west: float, north: float, east: float) -> Area:
    """All between these edges; raises InvalidError (invalid_area)."""
    check_place("box: south, west", south, west)
    check_place("box: north, east", north, east)
    if south > north:
        raise _impossible(f"box: south ({south:g}) lies north of north ({north:g})")
    return Area(boxes_of(south, west, north, east), *middle_of(south, west, north, east), None)


def check_place(where: str, latitude: float, longitude: float) -> None:
    """Raises InvalidError (invalid_area) for what is no place."""
    if not -90 <= latitude <= 90:
        raise _impossible(f"{where}: {latitude:g} is no latitude; it lies between -90 and 90")
    if not -180 <= longitude <= 180:
        raise _impossible(f"{where}: {longitude:g} is no longitude; it lies between -180 and 180")


def _impossible(message: str) -> InvalidError:
    return InvalidError(message, code="invalid_area")


async def place(
    pool: Pool, tenant: Tenant, device: UUID, new: NewLocation, now_us: int
) -> Location:
    """Say where a device is; `now_us` is virtual time. Older than its place, it is history only.

    Raises InvalidError, NotFoundError for a device that the organization does not have, and
    ConflictError where the device was somewhere else at that very time.
    """
    since_us = now_us if new.valid_from_us is None else new.valid_from_us
    _check(new, since_us, now_us)
    given: dict[str, Any] = {
        "latitude": _rounded(new.latitude), "longitude": _rounded(new.longitude),
        "altitude_m": new.altitude_m, "accuracy_m": new.accuracy_m,
    }  # fmt: skip
    since, owner = to_datetime(since_us), tenant.organization
    async with transaction(pool, tenant) as conn:
        if not await _queries.find_own_device(conn, organization_id=owner, device_id=device):
            raise NotFoundError("the organization has no such device")
        if not await _queries.place_device(conn, device_id=device, valid_from=since, **given):
            raise ConflictError(
                f"the device has another place at {since_us} µs: a place that is known stays"
            )
        row = await _queries.find_location(
            conn, organization_id=owner, device_id=device, valid_from=since
        )
    return Location(**_fields(row))


def _check(new: NewLocation, since_us: int, now_us: int) -> None:
    check_place("latitude, longitude", new.latitude, new.longitude)
    if new.altitude_m is not None and not isfinite(new.altitude_m):
        raise InvalidError("altitude_m: write a finite number of m")
    if new.accuracy_m is not None and not (isfinite(new.accuracy_m) and new.accuracy_m >= 0):
        raise InvalidError("accuracy_m: write a finite number of m, 0 or more")
    if not 0 <= since_us <= now_us + AHEAD_US:
        raise InvalidError(f"valid_from_us: write a time between 1970 and now ({now_us} µs)")


def _rounded(degrees: float) -> float:
    return round(degrees, DECIMALS) + 0.0


async def read(pool: Pool, tenant: Tenant, device: UUID) -> Location:
    """Where a device is; raises NotFoundError (not_found, no_location)."""
    async with transaction(pool, tenant) as conn:
        owner = await owner_of(conn, device)
        row = await _queries.find_place(conn, organization_id=owner, device_id=device)
    if row is None:
        raise NotFoundError(
            "nobody has said yet where the device is, and it has not either", code="no_location"
        )
    return Location(**_fields(row))


async def owner_of(conn: Connection, device: UUID) -> UUID:
    """Whose a device is that the transaction sees; raises NotFoundError for any other."""
    owner: UUID | None = await _queries.find_owner(conn, device_id=device)
    if owner is None:
        raise NotFoundError("the organization has no such device")
    return owner


async def history(
    pool: Pool, tenant: Tenant, device: UUID, window: Window, page: Page
) -> Locations:
    """Where a device was, one fix after the other; raises NotFoundError, InvalidError."""
    after = after_time(page)
    async with transaction(pool, tenant) as conn:
        owner = await owner_of(conn, device)
        found = [
            Location(**_fields(row))
            async for row in _queries.locations_of(
                conn,
                organization_id=owner,
                device_id=device,
                after_time=after,
                descending=page.descending,
                count=page.limit + 1,
                **window.bounds(),
            )
        ]
    shown, cursor = cut(found, page, lambda one: (str(one.valid_from_us), one.device_id))
    return Locations(locations=shown, next_cursor=cursor)


async def within(pool: Pool, tenant: Tenant, area: Area, page: Page) -> PlacedDevices:
    """The devices in an area, by distance from its middle; raises InvalidError."""
    souths, wests, norths, easts = (list(edges) for edges in zip(*area.boxes, strict=True))
    async with transaction(pool, tenant) as conn:
        found = [
            PlacedDevice(
                serial_number=row["serial_number"], distance_m=row["distance_m"], **_fields(row)
            )
            async for row in _queries.places_within(
                conn,
                souths=souths,
                wests=wests,
                norths=norths,
                easts=easts,
                latitude=area.latitude,
                longitude=area.longitude,
                radius_m=area.radius_m,
                direction=-1 if page.descending else 1,
                after_distance=after_number(page),
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (repr(one.distance_m), one.device_id))
    return PlacedDevices(locations=shown, next_cursor=cursor)


def _fields(row: Any) -> dict[str, Any]:
    return {
        "organization_id": row["organization_id"],
        "device_id": row["device_id"],
        "latitude": row["latitude"],
        "longitude": row["longitude"],
        "altitude_m": row["altitude_m"],
        "accuracy_m": row["accuracy_m"],
        "source": row["source"],
        "valid_from_us": to_us(row["valid_from"]),
    }
