"""Sensors: what is shown of one, and what can be changed."""

from typing import Literal
from uuid import UUID

import msgspec

from fleetplatform.wire.resources.body import Body, Reply, Revised

SensorStatus = Literal["active", "inactive", "faulty", "maintenance"]
"""Readings of an active sensor only are taken."""


class Sensor(Revised, frozen=True, kw_only=True):
    """A sensor as its device's type specified it; the range is in `unit`.

    `interval_s`: between two readings · `rate_max`: the fastest that it can change, in `unit` per
    second · `flat_after_s`: one that sends the same value for longer is stuck; null: not judged.
    `sensitive`: its readings are stored encrypted, and only administrators read them.
    """

    sensor_id: UUID
    organization_id: UUID
    device_id: UUID
    name: str
    sensor_type: str
    unit: str
    value_min: float
    value_max: float
    resolution: float
    interval_s: float
    rate_max: float | None
    flat_after_s: float | None
    sensitive: bool
    sensor_status: SensorStatus


class Sensors(Reply, frozen=True, kw_only=True):
    """GET /v1/sensors, in the order in which they were enrolled."""

    sensors: tuple[Sensor, ...]
    next_cursor: str | None


class SensorChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/sensors/{sensor_id}: what is not given stays."""

    status: SensorStatus | msgspec.UnsetType = msgspec.UNSET
