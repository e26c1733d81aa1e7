"""Tenants."""

from uuid import UUID

from fleetplatform.wire.resources.body import Body, Reply


class NewOrganization(Body, frozen=True, kw_only=True):
    """POST /v1/organizations, by the operator."""

    name: str
    parent_id: UUID | None = None


class Organization(Reply, frozen=True, kw_only=True):
    """A new organization with its first API key, shown this once."""

    organization_id: UUID
    name: str
    api_key: str
