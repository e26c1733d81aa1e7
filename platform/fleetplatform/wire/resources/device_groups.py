"""Groups of devices: static, with members that are named, or dynamic, with a rule."""

from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from fleetplatform.wire.resources.body import Body, Reply, Revised

GroupKind = Literal["static", "dynamic"]


class NewDeviceGroup(Body, frozen=True, kw_only=True):
    """POST /v1/device-groups; a dynamic group has a rule, a static one none."""

    name: str
    kind: GroupKind
    rule: dict[str, Any] | None = None


class DeviceGroupChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/device-groups/{group_id}: what is given changes, the rest stays."""

    name: str | UnsetType = UNSET
    rule: dict[str, Any] | UnsetType = UNSET


class DeviceGroup(Revised, frozen=True, kw_only=True):
    """A group of devices; `rule` is null for a static one, `created_us` is the wall clock."""

    organization_id: UUID
    group_id: UUID
    name: str
    kind: str
    rule: dict[str, Any] | None
    created_us: int


class DeviceGroups(Reply, frozen=True, kw_only=True):
    """GET /v1/device-groups: a page of them."""

    device_groups: tuple[DeviceGroup, ...]
    next_cursor: str | None = None


class NewMembers(Body, frozen=True, kw_only=True):
    """POST /v1/device-groups/{group_id}/members: all of them or none."""

    device_ids: tuple[UUID, ...]


class AddedMembers(Reply, frozen=True, kw_only=True):
    """How many devices were not in the group before."""

    added: int
