"""Alerts as people are shown them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.timeseries.instants import to_datetime, to_us
from fleetplatform.wire.paging import Page, instant_of
from fleetplatform.wire.resources.alerts import Alert

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts are asked for; None takes all. Times in virtual µs, until not included."""

    status: str | None = None
    device: UUID | None = None
    rule: UUID | None = None
    since_us: int | None = None
    until_us: int | None = None


async def listed(pool: Pool, tenant: Tenant, wanted: Wanted, page: Page) -> list[Alert]:
    """The alerts that the tenant sees, newest first; one more than the page."""
    async with transaction(pool, tenant) as conn:
        return [
            _alert(row)
            async for row in _queries.alerts(
                conn,
                alert_status=wanted.status,
                device_id=wanted.device,
                rule_id=wanted.rule,
                since=_instant(wanted.since_us),
                until=_instant(wanted.until_us),
                after_time=_instant(instant_of(page)),
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]


def _instant(us: int | None) -> datetime | None:
    return None if us is None else to_datetime(us)


def _alert(row: Any) -> Alert:
    return Alert(
        organization_id=row["organization_id"],
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
