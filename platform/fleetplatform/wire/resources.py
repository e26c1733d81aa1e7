"""Bodies of the management API, as structs; ids are UUIDs in text, times µs since 1970 in UTC."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from fleetplatform.wire.clock import ClockLaw
from fleetplatform.wire.device_type import DeviceTypeSpecification


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of request bodies: an unknown member is refused."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Base of replies: a reader skips members it does not know."""


class NewOrganization(Body, frozen=True, kw_only=True):
    """POST /v1/organizations, by the operator."""

    name: str
    parent_id: UUID | None = None


class Organization(Reply, frozen=True, kw_only=True):
    """A new organization with its first API key, shown this once."""

    organization_id: UUID
    name: str
    api_key: str


class DeviceType(Reply, frozen=True, kw_only=True):
    """One version of a device type, and all the versions it has, in the order they were put."""

    device_type_id: UUID
    specification: DeviceTypeSpecification
    versions: tuple[str, ...]


class DeviceTypes(Reply, frozen=True, kw_only=True):
    """GET /v1/device-types: each as it was put last, in order of name."""

    device_types: tuple[DeviceType, ...]


class NewCalibration(Body, frozen=True, kw_only=True):
    """calibrated = raw × multiplier + offset, from `valid_from_us` on (null: always)."""

    sensor: str
    multiplier: float
    offset: float
    valid_from_us: int | None = None


class NewDevice(Body, frozen=True, kw_only=True):
    """One device of a bulk enrolment; its sensors follow from its type.

    With `gateway` (a serial number of the same organization) the device is spoken for by that
    gateway and gets no token of its own. Without a version it gets the one that was put last,
    without a hardware revision its type's first.
    """

    serial_number: str
    device_type: str
    device_type_version: str | None = None
    hardware_revision: str | None = None
    gateway: str | None = None
    calibrations: tuple[NewCalibration, ...] = ()


class NewDevices(Body, frozen=True, kw_only=True):
    """POST /v1/devices/bulk: all of them or none."""

    devices: tuple[NewDevice, ...]


class EnrolledDevice(Reply, frozen=True, kw_only=True):
    """A device as enrolled; `sensor_ids` in the order of its type's specification."""

    device_id: UUID
    token: str | None
    sensor_ids: tuple[UUID, ...]


class EnrolledDevices(Reply, frozen=True, kw_only=True):
    """The reply to a bulk enrolment, in the order of the request."""

    devices: tuple[EnrolledDevice, ...]


class Device(Reply, frozen=True, kw_only=True):
    """A device as GET /v1/devices shows it; `last_seen_us` is virtual time, null before any.

    `online`: its last contact is at most `platform.registry.offline_after` ago, in virtual time.
    """

    device_id: UUID
    serial_number: str
    device_status: str
    device_type: str
    device_type_version: str
    hardware_revision: str
    last_seen_us: int | None
    online: bool


class Devices(Reply, frozen=True, kw_only=True):
    """GET /v1/devices?serial=…: one device or none."""

    devices: tuple[Device, ...]


DeviceStatus = Literal["provisioning", "active", "maintenance", "suspended", "decommissioned"]


class NewStatus(Body, frozen=True, kw_only=True):
    """POST /v1/devices/{device_id}/status: where the device goes, and why."""

    status: DeviceStatus
    reason: str


class AuditEntry(Reply, frozen=True, kw_only=True):
    """One change; `actor` is api_key:<id>, or database:<role> for one made past the API.

    `occurred_at_us` is virtual time, `recorded_at_us` the wall clock.
    """

    audit_id: UUID
    subject_kind: str
    subject_id: UUID
    action: str
    from_state: str
    to_state: str
    actor: str
    reason: str | None
    occurred_at_us: int
    recorded_at_us: int


class AuditEntries(Reply, frozen=True, kw_only=True):
    """GET /v1/audit?subject=…, newest first."""

    entries: tuple[AuditEntry, ...]


class NewAlertRule(Body, frozen=True, kw_only=True):
    """POST /v1/alert-rules; a null scope means any. Conditions are joined by and."""

    name: str
    conditions: dict[str, Any]
    severity: str = "warning"
    device_type: str | None = None
    sensor_type: str | None = None
    sensor_id: UUID | None = None


class AlertRule(Reply, frozen=True, kw_only=True):
    """A stored alert rule."""

    rule_id: UUID
    name: str
    conditions: dict[str, Any]
    severity: str
    device_type: str | None
    sensor_type: str | None
    sensor_id: UUID | None


class AlertRules(Reply, frozen=True, kw_only=True):
    """GET /v1/alert-rules, in order of name."""

    alert_rules: tuple[AlertRule, ...]


class Alert(Reply, frozen=True, kw_only=True):
    """One alert of GET /v1/alerts."""

    alert_id: UUID
    rule_id: UUID
    sensor_id: UUID
    device_id: UUID
    severity: str
    alert_status: str
    alert_timestamp_us: int
    trigger_value: float | None
    resolved_at_us: int | None


class Alerts(Reply, frozen=True, kw_only=True):
    """GET /v1/alerts, newest first."""

    alerts: tuple[Alert, ...]


class Clock(Reply, frozen=True, kw_only=True):
    """GET /v1/clock, and the body of PUT /v1/clock."""

    law: ClockLaw
    controllable: bool = True


class Receipt(Reply, frozen=True, kw_only=True):
    """The reply to POST /v1/readings, sent only after commit."""

    accepted: int
    duplicates: int
    rejected_total: int
    rejected: tuple["RejectedReading", ...] = ()


class RejectedReading(Reply, frozen=True, kw_only=True):
    """One reading that was not taken: its index in the request and why."""

    index: int
    code: str
    detail: str
