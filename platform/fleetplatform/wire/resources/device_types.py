"""The catalogue of device types."""

from uuid import UUID

from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.resources.body import Reply


class DeviceType(Reply, frozen=True, kw_only=True):
    """One version of a device type, and all the versions it has, in the order they were put."""

    device_type_id: UUID
    specification: DeviceTypeSpecification
    versions: tuple[str, ...]


class DeviceTypes(Reply, frozen=True, kw_only=True):
    """GET /v1/device-types: each as it was put last, in order of name."""

    device_types: tuple[DeviceType, ...]
    next_cursor: str | None = None
