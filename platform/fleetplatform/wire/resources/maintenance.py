"""Work that was done on devices, and when it is due again."""

from uuid import UUID

from msgspec import UNSET, UnsetType

from fleetplatform.wire.resources.body import Body, Reply, Revised


class NewMaintenance(Body, frozen=True, kw_only=True):
    """POST /v1/maintenance; the newest record of a device and kind says when that is due again."""

    device_id: UUID
    kind: str
    performed_at_us: int
    performed_by: str | None = None
    note: str | None = None
    next_due_at_us: int | None = None


class MaintenanceChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/maintenance/{maintenance_id}: what is not given stays, null empties."""

    kind: str | UnsetType = UNSET
    performed_at_us: int | UnsetType = UNSET
    performed_by: str | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET
    next_due_at_us: int | UnsetType | None = UNSET


class Maintenance(Revised, frozen=True, kw_only=True):
    """A record; `performed_by` is who did the work, in words; `actor` who entered it."""

    maintenance_id: UUID
    organization_id: UUID
    device_id: UUID
    kind: str
    performed_at_us: int
    performed_by: str | None
    note: str | None
    next_due_at_us: int | None
    actor: str
    created_at_us: int


class MaintenanceRecords(Reply, frozen=True, kw_only=True):
    """Records in order of `performed_at_us`, or what is due, the soonest first."""

    maintenance: tuple[Maintenance, ...]
    next_cursor: str | None
