"""Readings of an organization's sensors, as they are asked for."""

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.params import Parameter

from fleetplatform.analytics import anomalies, series
from fleetplatform.analytics.anomalies import Choice, code_of
from fleetplatform.analytics.choice import Span
from fleetplatform.api.access import Context
from fleetplatform.api.parameters import Since, Until
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.resources.readings import (
    Anomalies,
    Buckets,
    Gaps,
    LastReading,
    Series,
)

POINTS = 500
POINTS_MAX = 10_000
COUNT = 100
COUNT_MAX = 1_000

Width = Annotated[int, Parameter(ge=1, le=series.LATEST_US, description="µs")]


@get("/v1/sensors/{sensor_id:uuid}/last")
async def last_reading(sensor_id: UUID, tenant: Tenant, context: Context) -> LastReading:
    """The newest reading of a sensor."""
    return await series.last(context.pool, tenant, sensor_id, context.clock.now_us())


@get("/v1/sensors/{sensor_id:uuid}/series")
async def read_series(
    sensor_id: UUID,
    since_us: Since,
    until_us: Until,
    tenant: Tenant,
    context: Context,
    points: Annotated[int, Parameter(ge=3, le=POINTS_MAX)] = POINTS,
) -> Series:
    """Some readings of a span, chosen so that a line through them looks like one through all."""
    span = Span(since_us, until_us)
    folder = context.archive.folder
    return await series.read(context.pool, tenant, sensor_id, span, points, folder)


@get("/v1/sensors/{sensor_id:uuid}/buckets")
async def read_buckets(
    sensor_id: UUID,
    since_us: Since,
    until_us: Until,
    width_us: Width,
    tenant: Tenant,
    context: Context,
) -> Buckets:
    """Count, mean, least, greatest and deviation of a sensor's readings in buckets of time."""
    return await series.buckets(
        context.pool, tenant, sensor_id, Span(since_us, until_us), width_us
    )


@get("/v1/sensors/{sensor_id:uuid}/hours")
async def read_hours(
    sensor_id: UUID, since_us: Since, until_us: Until, tenant: Tenant, context: Context
) -> Buckets:
    """A sensor's closed hours, late readings included; up to date within a minute or so."""
    span = Span(since_us, until_us)
    return await series.rollup(context.pool, tenant, sensor_id, span, "hour")


@get("/v1/sensors/{sensor_id:uuid}/days")
async def read_days(
    sensor_id: UUID, since_us: Since, until_us: Until, tenant: Tenant, context: Context
) -> Buckets:
    """A sensor's days, from its closed hours."""
    span = Span(since_us, until_us)
    return await series.rollup(context.pool, tenant, sensor_id, span, "day")


@get("/v1/sensors/{sensor_id:uuid}/gaps")
async def read_gaps(
    sensor_id: UUID,
    since_us: Since,
    until_us: Until,
    longer_than_us: Width,
    tenant: Tenant,
    context: Context,
) -> Gaps:
    """Where a sensor was silent for longer than that."""
    return await series.gaps(
        context.pool, tenant, sensor_id, Span(since_us, until_us), longer_than_us
    )


@get("/v1/anomalies")
async def top_anomalies(
    since_us: Since,
    until_us: Until,
    tenant: Tenant,
    context: Context,
    sensor_type: str | None = None,
    limit: Annotated[int, Parameter(ge=1, le=COUNT_MAX)] = COUNT,
    organization_id: UUID | None = None,
    device_id: UUID | None = None,
    group_id: UUID | None = None,
) -> Anomalies:
    """The readings of 31 days at most that were furthest from what was usual."""
    span = Span(since_us, until_us)
    choice = Choice(organization_id, device_id, group_id, code_of(sensor_type))
    found = await anomalies.top(context.pool, tenant, span, choice, limit)
    return Anomalies(anomalies=tuple(found))


handlers = [
    last_reading, read_series, read_buckets, read_hours, read_days, read_gaps, top_anomalies,
]  # fmt: skip
