"""How the devices of an organization do."""

from typing import Annotated

from litestar import get
from litestar.params import Parameter

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import operations
from fleetplatform.registry.operations import Wanted
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.devices import DeviceStatus
from fleetplatform.wire.resources.operations import Operations


@get("/v1/operations", dependencies={"page": page_of("created", both_ways=False)})
async def list_operations(
    tenant: Tenant,
    context: Context,
    page: Page,
    status: DeviceStatus | None = None,
    online: bool | None = None,
    alerting: Annotated[
        bool | None, Parameter(description="whether the device has open alerts")
    ] = None,
) -> Operations:
    """How each device does: contact, status, open alerts; in order of enrolment."""
    wanted = Wanted(status, online, alerting)
    return await operations.list_page(context.pool, tenant, wanted, context.contact(), page)


handlers = [list_operations]
