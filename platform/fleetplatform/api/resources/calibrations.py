"""Calibrations of sensors, which are due, and stored readings calibrated again."""

from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.params import Parameter

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import calibration_history, reprocessing
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.calibrations import (
    Calibration,
    Calibrations,
    Interval,
    NewSensorCalibration,
    Reprocessing,
)


@post("/v1/sensors/{sensor_id:uuid}/calibrations")
async def add_calibration(
    sensor_id: UUID, data: NewSensorCalibration, tenant: Tenant, context: Context
) -> Calibration:
    """Enter a calibration; readings measured from its time on are calibrated by it."""
    return await calibration_history.add(context.pool, tenant, sensor_id, data)


@get("/v1/sensors/{sensor_id:uuid}/calibrations", dependencies={"page": page_of("valid_from")})
async def list_calibrations(
    sensor_id: UUID, tenant: Tenant, context: Context, page: Page
) -> Calibrations:
    """A sensor's history, in the order in which its calibrations hold."""
    return await calibration_history.listed(context.pool, tenant, sensor_id, page)


@get("/v1/calibrations/{calibration_id:uuid}")
async def read_calibration(
    calibration_id: UUID, tenant: Tenant, context: Context
) -> Calibration:
    """One calibration."""
    return await calibration_history.read(context.pool, tenant, calibration_id)


@get("/v1/calibrations/due", dependencies={"page": page_of("due", both_ways=False)})
async def list_due_calibrations(
    tenant: Tenant,
    context: Context,
    page: Page,
    before: Annotated[
        int | None, Parameter(description="µs of virtual time; now where it is not given")
    ] = None,
) -> Calibrations:
    """The calibrations due before a time that no later one has followed, soonest first."""
    before_us = context.clock.now_us() if before is None else before
    return await calibration_history.due(context.pool, tenant, before_us, page)


@post("/v1/sensors/{sensor_id:uuid}/reprocess", status_code=202)
async def reprocess(
    sensor_id: UUID, data: Interval, tenant: Tenant, context: Context
) -> Reprocessing:
    """Calibrate the stored readings of an interval again, by the calibrations that are there."""
    return await reprocessing.ask(context.pool, tenant, sensor_id, data)


@get("/v1/reprocessing/{job_id:uuid}")
async def read_reprocessing(job_id: UUID, tenant: Tenant, context: Context) -> Reprocessing:
    """How far a job is."""
    return await reprocessing.read(context.pool, tenant, job_id)


handlers = [
    add_calibration, list_calibrations, read_calibration, list_due_calibrations, reprocess,
    read_reprocessing,
]  # fmt: skip
