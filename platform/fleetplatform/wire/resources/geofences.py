"""Geofences: areas whose borders devices cross."""

from typing import Literal
from uuid import UUID

import msgspec

from fleetplatform.wire.resources.body import Body, Reply, Revised


class Circle(Body, frozen=True, kw_only=True):
    """All that is at most `radius_m` from a place, over the ground."""

    latitude: float
    longitude: float
    radius_m: float


class Shape(Body, frozen=True, kw_only=True, omit_defaults=True):
    """One of the two: a circle, or a polygon of (latitude, longitude), whose edges go the short
    way over the antimeridian and are straight on a flat map; the last corner meets the first.
    """

    circle: Circle | None = None
    polygon: tuple[tuple[float, float], ...] | None = None


class NewGeofence(Body, frozen=True, kw_only=True):
    """POST /v1/geofences."""

    name: str
    shape: Shape


class GeofenceChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/geofences/{geofence_id}: what is given changes."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    shape: Shape | msgspec.UnsetType = msgspec.UNSET


class Geofence(Revised, frozen=True, kw_only=True):
    """A geofence of an organization, for the devices of that organization."""

    organization_id: UUID
    geofence_id: UUID
    name: str
    shape: Shape
    created_at_us: int


class Geofences(Reply, frozen=True, kw_only=True):
    """GET /v1/geofences, in order of name."""

    geofences: tuple[Geofence, ...]
    next_cursor: str | None


class GeofenceEvent(Reply, frozen=True, kw_only=True):
    """A device crossed a border: `occurred_at_us` is the time of its fix (virtual)."""

    organization_id: UUID
    geofence_id: UUID
    device_id: UUID
    event: Literal["enter", "leave"]
    latitude: float
    longitude: float
    occurred_at_us: int


class GeofenceEvents(Reply, frozen=True, kw_only=True):
    """The crossings of a geofence or of a device, in order of time."""

    events: tuple[GeofenceEvent, ...]
    next_cursor: str | None
