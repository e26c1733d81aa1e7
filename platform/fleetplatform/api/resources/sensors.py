"""Sensors of an organization's devices."""

from typing import Annotated
from uuid import UUID

from litestar import get, patch
from litestar.params import Parameter, QueryParameter

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import sensors
from fleetplatform.registry.sensors import Filters
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.sensors import Sensor, SensorChange, Sensors, SensorStatus


@get("/v1/sensors", dependencies={"page": page_of("enrolled")})
async def list_sensors(
    tenant: Tenant,
    context: Context,
    page: Page,
    device_id: UUID | None = None,
    sensor_type: Annotated[
        str | None, QueryParameter(name="type", description="such as temperature")
    ] = None,
    status: SensorStatus | None = None,
    calibration_due_before: Annotated[
        int | None, Parameter(description="µs; whose last calibration is due before")
    ] = None,
) -> Sensors:
    """The sensors, in the order in which they were enrolled."""
    filters = Filters(device_id, sensor_type, status, calibration_due_before)
    return await sensors.listed(context.pool, tenant, filters, page)


@get("/v1/sensors/{sensor_id:uuid}")
async def read_sensor(sensor_id: UUID, tenant: Tenant, context: Context) -> Sensor:
    """One sensor."""
    return await sensors.read(context.pool, tenant, sensor_id)


@patch("/v1/sensors/{sensor_id:uuid}")
async def change_sensor(
    sensor_id: UUID, data: SensorChange, tenant: Tenant, context: Context, expected: int | None
) -> Sensor:
    """Take a sensor out of service or back; readings are refused or taken from then on."""
    return await sensors.change(context.pool, tenant, sensor_id, data, expected)


handlers = [list_sensors, read_sensor, change_sensor]
