"""Maintenance of an organization's devices."""

from typing import Annotated
from uuid import UUID

from litestar import get, patch, post
from litestar.params import Parameter

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import maintenance
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.maintenance import (
    Maintenance,
    MaintenanceChange,
    MaintenanceRecords,
    NewMaintenance,
)


@post("/v1/maintenance")
async def add_maintenance(
    data: NewMaintenance, tenant: Tenant, context: Context
) -> Maintenance:
    """Write down work that was done on a device."""
    return await maintenance.add(context.pool, tenant, data)


@get("/v1/maintenance", dependencies={"page": page_of("performed")})
async def list_maintenance(
    tenant: Tenant, context: Context, page: Page, device_id: UUID | None = None
) -> MaintenanceRecords:
    """The records, in the order in which the work was done."""
    return await maintenance.listed(context.pool, tenant, device_id, page)


@get("/v1/maintenance/due", dependencies={"page": page_of("due", both_ways=False)})
async def list_due_maintenance(
    tenant: Tenant,
    context: Context,
    page: Page,
    before: Annotated[
        int | None, Parameter(description="µs of virtual time; now where it is not given")
    ] = None,
) -> MaintenanceRecords:
    """What is due before a time and has not been done again since, soonest first."""
    before_us = context.clock.now_us() if before is None else before
    return await maintenance.due(context.pool, tenant, before_us, page)


@get("/v1/maintenance/{maintenance_id:uuid}")
async def read_maintenance(
    maintenance_id: UUID, tenant: Tenant, context: Context
) -> Maintenance:
    """One record."""
    return await maintenance.read(context.pool, tenant, maintenance_id)


@patch("/v1/maintenance/{maintenance_id:uuid}")
async def change_maintenance(
    maintenance_id: UUID,
    data: MaintenanceChange,
    tenant: Tenant,
    context: Context,
    expected: int | None,
) -> Maintenance:
    """Put a record right."""
    return await maintenance.change(context.pool, tenant, maintenance_id, data, expected)


handlers = [
    add_maintenance, list_maintenance, list_due_maintenance, read_maintenance, change_maintenance,
]  # fmt: skip
