"""Readings of many sensors, as they are asked for; times are µs since 1970, virtual time, UTC."""

from uuid import UUID

from fleetplatform.wire.resources.body import Reply
from fleetplatform.wire.resources.readings import Bucket


class AggregateSeries(Reply, frozen=True, kw_only=True):
    """Sensors of one type and unit, put together by what `id` and `name` say.

    A device with its serial number, a group, a device type or an organization with its name; null
    where all that was asked for is put together.
    """

    id: UUID | None
    name: str | None
    sensor_type: str
    unit: str
    buckets: tuple[Bucket, ...]


class Aggregates(Reply, frozen=True, kw_only=True):
    """GET /v1/aggregates; a bucket in which nothing was measured is left out."""

    by: str
    width: str
    series: tuple[AggregateSeries, ...]


class GroupReading(Reply, frozen=True, kw_only=True):
    """A sensor of a group's device with its newest reading; nulls where it has none in the span."""

    sensor_id: UUID
    device_id: UUID
    organization_id: UUID
    serial_number: str
    sensor: str
    sensor_type: str
    unit: str
    t_us: int | None
    value: float | None
    quality: int | None
    is_anomaly: bool | None
    score: float | None


class GroupReadings(Reply, frozen=True, kw_only=True):
    """GET /v1/device-groups/{group_id}/last."""

    readings: tuple[GroupReading, ...]
    next_cursor: str | None
