"""People of an organization, and the groups they are in."""

from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from fleetplatform.wire.resources.api_keys import RoleName
from fleetplatform.wire.resources.body import Body, Name, Reply, Revised

Email = Annotated[str, Meta(max_length=320, pattern=r"^[^@\s\x00]+@[^@\s\x00]+\Z")]


class NewUser(Body, frozen=True, kw_only=True):
    """POST /v1/users; without `sees_all` a viewer sees what is shared with their groups."""

    name: Name
    role: RoleName
    email: Email | None = None
    sees_all: bool = True


class UserChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/users/{user_id}; the keys of a user who is not active are refused."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    role: RoleName | UnsetType = UNSET
    sees_all: bool | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class User(Revised, frozen=True, kw_only=True):
    """A person; `deactivated_at_us` is null while their keys are good."""

    organization_id: UUID
    user_id: UUID
    name: str
    email: str | None
    role: RoleName
    sees_all: bool
    created_at_us: int
    deactivated_at_us: int | None


class Users(Reply, frozen=True, kw_only=True):
    """GET /v1/users."""

    users: tuple[User, ...]
    next_cursor: str | None = None


class NewUserGroup(Body, frozen=True, kw_only=True):
    """POST /v1/user-groups."""

    name: Name


class UserGroupChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/user-groups/{user_group_id}."""

    name: Name | UnsetType = UNSET


class UserGroup(Revised, frozen=True, kw_only=True):
    """A group of people, with whom groups of devices are shared."""

    organization_id: UUID
    user_group_id: UUID
    name: str
    created_at_us: int


class UserGroups(Reply, frozen=True, kw_only=True):
    """GET /v1/user-groups."""

    user_groups: tuple[UserGroup, ...]
    next_cursor: str | None = None


class UserGroupMember(Reply, frozen=True, kw_only=True):
    """Somebody who is in a group of people."""

    user_id: UUID
    name: str
    role: RoleName
    sees_all: bool
    active: bool


class UserGroupMembers(Reply, frozen=True, kw_only=True):
    """GET /v1/user-groups/{user_group_id}/members, in order of name."""

    members: tuple[UserGroupMember, ...]
    next_cursor: str | None = None


class DeviceGroupShare(Reply, frozen=True, kw_only=True):
    """A group of devices that is shared with a group of people."""

    group_id: UUID
    name: str
    kind: str


class DeviceGroupShares(Reply, frozen=True, kw_only=True):
    """GET /v1/user-groups/{user_group_id}/shares, in order of name."""

    shares: tuple[DeviceGroupShare, ...]
    next_cursor: str | None = None
