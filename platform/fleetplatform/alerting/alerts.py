"""Alerts as people are shown them."""

from typing import Any

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.resources.alerts import Alert

_queries: Any = load(__file__)


async def newest(pool: Pool, tenant: Tenant, status: str | None, count: int) -> list[Alert]:
    """The newest alerts of an organization, all or those with a status."""
    async with transaction(pool, tenant) as conn:
        return [
            Alert(
                alert_id=row["alert_id"],
                rule_id=row["rule_id"],
                sensor_id=row["sensor_id"],
                device_id=row["device_id"],
                severity=row["severity"],
                alert_status=row["alert_status"],
                alert_timestamp_us=to_us(row["alert_timestamp"]),
                trigger_value=row["trigger_value"],
                resolved_at_us=row["resolved_at"] and to_us(row["resolved_at"]),
            )
            async for row in _queries.alerts(
                conn, organization_id=tenant.organization, alert_status=status, count=count
            )
        ]
