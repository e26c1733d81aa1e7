"""How the devices do: a page of what the operations dashboard shows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.registry.devices import Contact
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.operations import DeviceOperation, OpenAlerts, Operations

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices are asked for; None: any."""

    status: str | None = None
    online: bool | None = None
    alerting: bool | None = None


async def list_page(
    pool: Pool, tenant: Tenant, wanted: Wanted, contact: Contact, page: Page
) -> Operations:
    """A part of the devices that are seen, in order of enrolment."""
    since = _EPOCH + timedelta(microseconds=max(0, contact.now_us - contact.offline_after_us))
    async with transaction(pool, tenant) as conn:
        found = [
            _shown(row, contact)
            async for row in _queries.list_operations(
                conn,
                device_status=wanted.status,
                seen_since=since if wanted.online is True else None,
                unseen_since=since if wanted.online is False else None,
                has_open_alerts=wanted.alerting,
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (one.serial_number, one.device_id))
    return Operations(operations=shown, next_cursor=cursor)


def _shown(row: Any, contact: Contact) -> DeviceOperation:
    """A row of the dashboard as the API shows it."""
    seen_us = None if row["last_seen_at"] is None else to_us(row["last_seen_at"])
    return DeviceOperation(
        organization_id=row["organization_id"],
        device_id=row["device_id"],
        serial_number=row["serial_number"],
        device_type=row["device_type"],
        device_type_version=row["device_type_version"],
        device_status=row["device_status"],
        last_seen_us=seen_us,
        online=seen_us is not None and contact.now_us - seen_us <= contact.offline_after_us,
        sensors=row["sensor_count"],
        open_alerts=OpenAlerts(
            info=row["open_info"], warning=row["open_warning"], critical=row["open_critical"]
        ),
    )
