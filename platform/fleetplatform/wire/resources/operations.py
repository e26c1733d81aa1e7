"""How the devices do."""

from uuid import UUID

from fleetplatform.wire.resources.body import Reply


class OpenAlerts(Reply, frozen=True, kw_only=True):
    """Alerts of a device that are active or acknowledged, by severity."""

    info: int
    warning: int
    critical: int


class DeviceOperation(Reply, frozen=True, kw_only=True):
    """One device; `last_seen_us` is virtual time, `online` as GET /v1/devices says it."""

    organization_id: UUID
    device_id: UUID
    serial_number: str
    device_type: str
    device_type_version: str
    device_status: str
    last_seen_us: int | None
    online: bool
    sensors: int
    open_alerts: OpenAlerts


class Operations(Reply, frozen=True, kw_only=True):
    """GET /v1/operations, in order of enrolment."""

    operations: tuple[DeviceOperation, ...]
    next_cursor: str | None = None
