"""Maintenance: what was done on devices, and what is due."""

from typing import Any
from uuid import UUID

from msgspec import UNSET, structs

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError, NotFoundError, StaleError
from fleetplatform.registry.fields import (
    NOTE_MAX,
    after_instant,
    check_text,
    instant,
    instant_or_none,
)
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.maintenance import (
    Maintenance,
    MaintenanceChange,
    MaintenanceRecords,
    NewMaintenance,
)

KIND_MAX = 100

_queries: Any = load(__file__)


async def add(pool: Pool, tenant: Tenant, new: NewMaintenance) -> Maintenance:
    """A record of one of the organization's own devices; raises InvalidError, NotFoundError."""
    columns = _columns(new)
    async with transaction(pool, tenant) as conn:
        row = await _queries.add_maintenance(
            conn, organization_id=tenant.organization, device_id=new.device_id, **columns
        )
    if row is None:
        raise NotFoundError("the organization has no such device")
    return _view(row)


async def listed(
    pool: Pool, tenant: Tenant, device: UUID | None, page: Page
) -> MaintenanceRecords:
    """A page of the records, of one device where it is given."""
    after = after_instant(page)
    async with transaction(pool, tenant) as conn:
        found = [
            _view(row)
            async for row in _queries.list_maintenance(
                conn,
                device_id=device,
                descending=page.descending,
                after=after,
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (str(one.performed_at_us), one.maintenance_id))
    return MaintenanceRecords(maintenance=shown, next_cursor=cursor)


async def read(pool: Pool, tenant: Tenant, record: UUID) -> Maintenance:
    """One record; raises NotFoundError for one that is not seen."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.read_maintenance(conn, maintenance_id=record)
    if row is None:
        raise _no_record()
    return _view(row)


async def change(
    pool: Pool, tenant: Tenant, record: UUID, new: MaintenanceChange, expected: int | None
) -> Maintenance:
    """A record put right; raises InvalidError, NotFoundError, and StaleError by its revision."""
    async with transaction(pool, tenant) as conn:
        held = await _queries.read_maintenance(conn, maintenance_id=record)
        locked = await _queries.lock_maintenance(
            conn, organization_id=tenant.organization, maintenance_id=record
        )
        if held is None or locked is None:
            raise _no_record()
        if expected is not None and locked["revision"] != expected:
            raise StaleError("the record was changed since it was read: read it again")
        given = {name: one for name, one in structs.asdict(new).items() if one is not UNSET}
        before = _body({**held, **locked})
        columns = _columns(structs.replace(before, **given))
        row = await _queries.change_maintenance(
            conn, organization_id=tenant.organization, maintenance_id=record, **columns
        )
    return _view(row)


async def due(pool: Pool, tenant: Tenant, before_us: int, page: Page) -> MaintenanceRecords:
    """A page of what is due before a time and was not done again since, soonest first."""
    after = after_instant(page)
    async with transaction(pool, tenant) as conn:
        found = [
            _view(row)
            async for row in _queries.due_maintenance(
                conn,
                before=instant("before", before_us),
                after=after,
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (str(one.next_due_at_us), one.maintenance_id))
    return MaintenanceRecords(maintenance=shown, next_cursor=cursor)


def _no_record() -> NotFoundError:
    return NotFoundError("the organization has no such maintenance record")


def _columns(new: NewMaintenance) -> dict[str, Any]:
    """What a body says as the table holds it; raises InvalidError."""
    check_text("kind", new.kind, KIND_MAX)
    check_text("performed_by", new.performed_by)
    check_text("note", new.note, NOTE_MAX)
    if new.next_due_at_us is not None and new.next_due_at_us <= new.performed_at_us:
        raise InvalidError("next_due_at_us must be later than performed_at_us")
    return {
        "kind": new.kind,
        "performed_at": instant("performed_at_us", new.performed_at_us),
        "performed_by": new.performed_by,
        "note": new.note,
        "next_due_at": instant_or_none("next_due_at_us", new.next_due_at_us),
    }


def _body(row: Any) -> NewMaintenance:
    """A record as it would be entered."""
    return NewMaintenance(
        device_id=row["device_id"],
        kind=row["kind"],
        performed_at_us=to_us(row["performed_at"]),
        performed_by=row["performed_by"],
        note=row["note"],
        next_due_at_us=None if row["next_due_at"] is None else to_us(row["next_due_at"]),
    )


def _view(row: Any) -> Maintenance:
    return Maintenance(
        maintenance_id=row["maintenance_id"],
        organization_id=row["organization_id"],
        actor=row["actor"],
        created_at_us=to_us(row["created_at"]),
        revision=row["revision"],
        **structs.asdict(_body(row)),
    )
