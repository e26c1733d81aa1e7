"""Alerts of an organization."""

from typing import Annotated, Literal

from litestar import get
from litestar.params import Parameter

from fleetplatform.alerting import alerts
from fleetplatform.api.access import Context
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.resources.alerts import Alerts

COUNT = 1000
COUNT_MAX = 100_000


@get("/v1/alerts")
async def list_alerts(
    tenant: Tenant,
    context: Context,
    status: Literal["active", "acknowledged", "resolved", "suppressed"] | None = None,
    limit: Annotated[int, Parameter(ge=1, le=COUNT_MAX)] = COUNT,
) -> Alerts:
    """The newest alerts, all or those with a status."""
    found = await alerts.newest(context.pool, tenant, status, limit)
    return Alerts(alerts=tuple(found))


handlers = [list_alerts]
