"""Tenants, made by the operator."""

from litestar import post

from fleetplatform.api.access import Context, operator_only
from fleetplatform.registry import organizations
from fleetplatform.wire.resources.organizations import NewOrganization, Organization


@post("/v1/organizations", guards=[operator_only])
async def create_organization(data: NewOrganization, context: Context) -> Organization:
    """A new tenant with its first API key, shown this once."""
    return await organizations.create(context.pool, data)


handlers = [create_organization]
