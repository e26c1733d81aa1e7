"""Tenants, as a tree."""

from uuid import UUID

from msgspec import UNSET, UnsetType

from fleetplatform.wire.resources.body import Body, Name, Reply, Revised


class NewOrganization(Body, frozen=True, kw_only=True):
    """POST /v1/organizations; without a parent, below whoever asks: the operator at the root."""

    name: Name
    parent_id: UUID | None = None


class OrganizationChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/organizations/{organization_id}; the operator alone moves one in the tree."""

    name: Name | UnsetType = UNSET
    parent_id: UUID | UnsetType | None = UNSET


class Organization(Revised, frozen=True, kw_only=True):
    """A tenant; `parent_id` is null at the root."""

    organization_id: UUID
    parent_id: UUID | None
    name: str
    created_at_us: int


class FoundedOrganization(Organization, frozen=True, kw_only=True):
    """A new tenant with its first API key, shown this once."""

    api_key: str


class Organizations(Reply, frozen=True, kw_only=True):
    """GET /v1/organizations."""

    organizations: tuple[Organization, ...]
    next_cursor: str | None = None
