"""Where devices are and were. Degrees are WGS 84, times are virtual."""

from typing import Literal
from uuid import UUID

from fleetplatform.wire.resources.body import Body, Reply


class NewLocation(Body, frozen=True, kw_only=True):
    """PUT /v1/devices/{device_id}/location: where a device is since a time, by default now."""

    latitude: float
    longitude: float
    altitude_m: float | None = None
    accuracy_m: float | None = None
    valid_from_us: int | None = None


class Location(Reply, frozen=True, kw_only=True):
    """Where a device was from a time on, by whose word: somebody's (api) or its own (reported)."""

    organization_id: UUID
    device_id: UUID
    latitude: float
    longitude: float
    altitude_m: float | None
    accuracy_m: float | None
    source: Literal["api", "reported"]
    valid_from_us: int


class Locations(Reply, frozen=True, kw_only=True):
    """GET /v1/devices/{device_id}/locations, in order of time."""

    locations: tuple[Location, ...]
    next_cursor: str | None


class PlacedDevice(Location, frozen=True, kw_only=True):
    """A device that is in an area; `distance_m` from its middle, over the ground."""

    serial_number: str
    distance_m: float


class PlacedDevices(Reply, frozen=True, kw_only=True):
    """GET /v1/locations, by distance."""

    locations: tuple[PlacedDevice, ...]
    next_cursor: str | None
