"""Devices: enrolment, life cycle, what is shown of one."""

from typing import Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from fleetplatform.wire.resources.body import Body, Reply, Revised
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
    tags: tuple[str, ...] = ()
    firmware_version: str | None = None
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


class Device(Revised, frozen=True, kw_only=True):
    """A device; `last_seen_us` is virtual time, null before any, `created_us` the wall clock.

    `online`: its last contact is at most `platform.registry.offline_after` ago, in virtual time.
    `tags` are sorted, `firmware_version` is null until it is told, `gateway_id` null for a device
    that speaks for itself.
    """

    organization_id: UUID
    device_id: UUID
    serial_number: str
    device_status: str
    device_type: str
    device_type_version: str
    hardware_revision: str
    firmware_version: str | None
    tags: tuple[str, ...]
    gateway_id: UUID | None
    last_seen_us: int | None
    online: bool
    created_us: int


class Devices(Reply, frozen=True, kw_only=True):
    """GET /v1/devices and GET /v1/device-groups/{group_id}/devices: a page of them."""

    devices: tuple[Device, ...]
    next_cursor: str | None = None


class DeviceChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/devices/{device_id}: what is given changes, the rest stays."""

    tags: tuple[str, ...] | UnsetType = UNSET
    firmware_version: str | UnsetType | None = UNSET
    gateway_id: UUID | UnsetType | None = UNSET


DeviceStatus = Literal["provisioning", "active", "maintenance", "suspended", "decommissioned"]


class NewStatus(Body, frozen=True, kw_only=True):
    """POST /v1/devices/{device_id}/status: where the device goes, and why."""

    status: DeviceStatus
    reason: str
