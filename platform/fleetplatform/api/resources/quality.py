"""How far readings can be trusted, as it is asked for."""

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.params import Parameter

from fleetplatform.analytics import quality
from fleetplatform.analytics.choice import Span
from fleetplatform.api.access import Context
from fleetplatform.api.parameters import Since, Until
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.resources.quality import (
    DeviceQuality,
    Flag,
    FlaggedReadings,
    SensorQuality,
)

COUNT = 100
COUNT_MAX = 1_000


@get("/v1/sensors/{sensor_id:uuid}/quality")
async def sensor_quality(
    sensor_id: UUID, since_us: Since, until_us: Until, tenant: Tenant, context: Context
) -> SensorQuality:
    """The score of each closed hour of 31 days at most, and how often each flag was set."""
    span = Span(since_us, until_us)
    return await quality.of_sensor(context.pool, tenant, sensor_id, span, context.clock.now_us())


@get("/v1/devices/{device_id:uuid}/quality")
async def device_quality(
    device_id: UUID, since_us: Since, until_us: Until, tenant: Tenant, context: Context
) -> DeviceQuality:
    """The score of each sensor of a device over 31 days at most, and its flags."""
    span = Span(since_us, until_us)
    return await quality.of_device(context.pool, tenant, device_id, span, context.clock.now_us())


@get("/v1/sensors/{sensor_id:uuid}/flagged-readings")
async def flagged_readings(
    sensor_id: UUID,
    since_us: Since,
    until_us: Until,
    tenant: Tenant,
    context: Context,
    flag: Flag | None = None,
    limit: Annotated[int, Parameter(ge=1, le=COUNT_MAX)] = COUNT,
) -> FlaggedReadings:
    """The first readings of 31 days at most that have a flag, or any."""
    span = Span(since_us, until_us)
    return await quality.flagged(context.pool, tenant, sensor_id, span, flag, limit)


handlers = [sensor_quality, device_quality, flagged_readings]
