"""Alerts of an organization."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import get
from litestar.params import Parameter

from fleetplatform.alerting import alerts
from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.api.parameters import Instant
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.alerts import Alert, Alerts


@get("/v1/alerts", dependencies={"page": page_of("-raised")})
async def list_alerts(
    tenant: Tenant,
    context: Context,
    page: Page,
    status: Literal["active", "acknowledged", "resolved", "suppressed"] | None = None,
    device_id: Annotated[UUID | None, Parameter(description="Of one device")] = None,
    rule_id: Annotated[UUID | None, Parameter(description="That one rule raised")] = None,
    since_us: Instant = None,
    until_us: Instant = None,
) -> Alerts:
    """Alerts, newest first, all or those with a status, of a device, a rule or a time."""
    wanted = alerts.Wanted(status, device_id, rule_id, since_us, until_us)
    found, next_cursor = cut(
        await alerts.listed(context.pool, tenant, wanted, page), page, _place
    )
    return Alerts(alerts=found, next_cursor=next_cursor)


def _place(alert: Alert) -> tuple[str, UUID]:
    return str(alert.alert_timestamp_us), alert.alert_id


handlers = [list_alerts]
