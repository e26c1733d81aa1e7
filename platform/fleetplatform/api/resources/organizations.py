"""Tenants, as a tree: the operator makes them anywhere, an admin below their own."""

from uuid import UUID

from litestar import get, patch, post

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.registry import organizations
from fleetplatform.registry.organizations import Principal, Role
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.organizations import (
    FoundedOrganization,
    NewOrganization,
    Organization,
    OrganizationChange,
    Organizations,
)


@post("/v1/organizations", opt={"role": Role.ADMIN})
async def create_organization(
    data: NewOrganization, principal: Principal, context: Context
) -> FoundedOrganization:
    """A new tenant with its first API key, shown this once."""
    return await organizations.create(context.pool, data, principal)


@get("/v1/organizations", dependencies={"page": page_of("name", "created")})
async def list_organizations(
    principal: Principal, context: Context, page: Page
) -> Organizations:
    """The organization and all below it; for the operator, every one."""
    return await organizations.list_page(context.pool, principal.tenant, page)


@get("/v1/organizations/{organization_id:uuid}")
async def read_organization(
    organization_id: UUID, principal: Principal, context: Context
) -> Organization:
    """One organization of the tree that is seen."""
    return await organizations.read(context.pool, principal.tenant, organization_id)


@patch("/v1/organizations/{organization_id:uuid}", opt={"role": Role.ADMIN})
async def change_organization(
    organization_id: UUID,
    data: OrganizationChange,
    principal: Principal,
    context: Context,
    expected: int | None,
) -> Organization:
    """Rename an organization of the tree; the operator may also move it."""
    tenant = principal.tenant
    return await organizations.change(context.pool, tenant, organization_id, data, expected)


handlers = [create_organization, list_organizations, read_organization, change_organization]
