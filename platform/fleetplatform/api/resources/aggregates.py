"""Readings of many sensors at once."""

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.params import Parameter

from fleetplatform.analytics import aggregates
from fleetplatform.analytics.aggregates import By, Choice, Width, group_last
from fleetplatform.analytics.anomalies import code_of
from fleetplatform.analytics.bounds import DAY_US
from fleetplatform.analytics.choice import Span
from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.api.parameters import Since, Text, Until
from fleetplatform.api.resources.places import Edges, Near, Radius, area_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.aggregates import Aggregates, GroupReadings

WITHIN_US = 31 * DAY_US
WITHIN_MAX_US = 366 * DAY_US


@get("/v1/aggregates")
async def read_aggregates(
    since_us: Since,
    until_us: Until,
    tenant: Tenant,
    context: Context,
    by: By = "sensor_type",
    width: Width = "hour",
    organization_id: UUID | None = None,
    device_id: UUID | None = None,
    group_id: UUID | None = None,
    device_type: Text = None,
    sensor_type: str | None = None,
    geofence_id: UUID | None = None,
    near: Near = None,
    radius: Radius = None,
    box: Edges = None,
) -> Aggregates:
    """Closed hours of many sensors, put together by device, group, type, place or organization."""
    is_area = (near, radius, box) != (None, None, None)
    choice = Choice(
        organization_id=organization_id,
        device_id=device_id,
        group_id=group_id,
        device_type=device_type,
        sensor_type=code_of(sensor_type),
        geofence_id=geofence_id,
        area=area_of(near, radius, box) if is_area else None,
    )
    span = Span(since_us, until_us)
    return await aggregates.read(context.pool, tenant, span, choice, by, width)


@get(
    "/v1/device-groups/{group_id:uuid}/last",
    dependencies={"page": page_of("sensor_id", both_ways=False)},
)
async def read_last_of_group(
    group_id: UUID,
    tenant: Tenant,
    context: Context,
    page: Page,
    within_us: Annotated[
        int, Parameter(ge=1, le=WITHIN_MAX_US, description="µs; how far back to look")
    ] = WITHIN_US,
) -> GroupReadings:
    """The newest reading of each sensor of a group's devices."""
    now_us = context.clock.now_us()
    return await group_last.read(context.pool, tenant, group_id, now_us, within_us, page)


handlers = [read_aggregates, read_last_of_group]
