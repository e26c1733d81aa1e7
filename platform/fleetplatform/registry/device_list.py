"""Devices as a list in pages, filtered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError
from fleetplatform.registry.devices import Contact, view
from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.devices import Device, Devices

_COLUMNS = {"serial_number": "serial_number", "created": "created_at"}
_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """Which devices are asked for; None asks for nothing. A device must have all of `tags`."""

    serial: str | None = None
    type: str | None = None
    status: str | None = None
    tags: tuple[str, ...] | None = None
    group_id: UUID | None = None
    firmware: str | None = None
    gateway_id: UUID | None = None
    online: bool | None = None

    def texts(self) -> list[str]:
        """Everything in it that somebody wrote."""
        found = [self.serial, self.type, self.firmware, *(self.tags or ())]
        return [one for one in found if one is not None]


async def listed(
    pool: Pool, tenant: Tenant, wanted: DeviceFilter, page: Page, contact: Contact
) -> Devices:
    """A page of the devices that are seen; raises InvalidError for what no text can be."""
    if any("\0" in one for one in wanted.texts()):
        raise InvalidError("a filter of the list holds the character NUL; leave it out")
    seen_since = to_datetime(contact.now_us - contact.offline_after_us)
    async with transaction(pool, tenant) as conn:
        found = [
            view(row, contact)
            async for row in _queries.list_devices(
                conn,
                sort=_COLUMNS[page.sort],
                descending=page.descending,
                after_value=_after(page),
                after_id=page.after_id,
                count=page.limit + 1,
                serial=wanted.serial,
                type=wanted.type,
                status=wanted.status,
                tags=wanted.tags or None,
                group_id=wanted.group_id,
                firmware=wanted.firmware,
                gateway_id=wanted.gateway_id,
                seen_since=seen_since,
                is_online=wanted.online,
            )
        ]
    shown, following = cut(found, page, lambda one: (_value(one, page.sort), one.device_id))
    return Devices(devices=shown, next_cursor=following)


def _value(device: Device, sort: str) -> str:
    return device.serial_number if sort == "serial_number" else str(device.created_us)


def _after(page: Page) -> str | None:
    """The value after which a page begins, as the database reads it."""
    if page.after_value is None or page.sort == "serial_number":
        return page.after_value
    return instant_after(page).isoformat()


def instant_after(page: Page) -> datetime:
    """The instant (µs since 1970 in the cursor) after which a page begins.

    Raises InvalidError (invalid_cursor).
    """
    try:
        return to_datetime(int(page.after_value or ""))
    except (ValueError, OverflowError):
        raise InvalidError(
            "cursor: give the next_cursor of this list", code="invalid_cursor"
        ) from None
