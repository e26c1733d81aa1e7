"""Devices: enrolment, life cycle, what is shown of one."""

from typing import Literal
from uuid import UUID

from fleetplatform.wire.resources.body import Body, Reply
from fleetplatform.wire.resources.calibrations import Curve


class NewCalibration(Curve, frozen=True, kw_only=True, omit_defaults=True):
    """A calibration of one of the device's sensors, from `valid_from_us` on (null: always)."""

    sensor: str
    valid_from_us: int | None = None
    due_at_us: int | None = None


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
