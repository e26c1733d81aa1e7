"""Retention policies of an organization."""

from uuid import UUID

from litestar import delete, get, patch, post

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry.organizations import Role
from fleetplatform.timeseries.retention import policies
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.retention import (
    NewRetentionPolicy,
    RetentionPolicies,
    RetentionPolicy,
    RetentionPolicyChange,
)

_ADMIN = {"role": Role.ADMIN}
_PATH = "/v1/retention-policies/{retention_policy_id:uuid}"


@post("/v1/retention-policies", opt=_ADMIN)
async def create_policy(
    data: NewRetentionPolicy, tenant: Tenant, context: Context
) -> RetentionPolicy:
    """How long some readings stay, and what then becomes of them."""
    return await policies.create(context.pool, tenant, context.archive, data)


@get("/v1/retention-policies", dependencies={"page": page_of("created")})
async def list_policies(tenant: Tenant, context: Context, page: Page) -> RetentionPolicies:
    """The policies, the oldest first."""
    return await policies.listed(context.pool, tenant, page)


@get(_PATH)
async def read_policy(
    retention_policy_id: UUID, tenant: Tenant, context: Context
) -> RetentionPolicy:
    """One policy."""
    return await policies.read(context.pool, tenant, retention_policy_id)


@patch(_PATH, opt=_ADMIN)
async def change_policy(
    retention_policy_id: UUID,
    data: RetentionPolicyChange,
    tenant: Tenant,
    context: Context,
    expected: int | None,
) -> RetentionPolicy:
    """Keep the readings longer or shorter, or end them otherwise."""
    return await policies.change(
        context.pool, tenant, context.archive, retention_policy_id, data, expected
    )


@delete(_PATH, opt=_ADMIN)
async def delete_policy(
    retention_policy_id: UUID, tenant: Tenant, context: Context, expected: int | None
) -> None:
    """Let a less specific policy hold, or none; what left the table stays as it is."""
    await policies.delete(context.pool, tenant, retention_policy_id, expected)


handlers = [create_policy, list_policies, read_policy, change_policy, delete_policy]
