"""What was done to the things of an organization."""

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.params import Parameter

from fleetplatform.api.access import Context
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import audit
from fleetplatform.wire.resources.audit import AuditEntries

COUNT = 1000
COUNT_MAX = 100_000


@get("/v1/audit")
async def read_audit(
    subject: UUID,
    tenant: Tenant,
    context: Context,
    limit: Annotated[int, Parameter(ge=1, le=COUNT_MAX)] = COUNT,
) -> AuditEntries:
    """Who moved a thing of the organization, when and why; newest first."""
    return AuditEntries(entries=tuple(await audit.of(context.pool, tenant, subject, limit)))


handlers = [read_audit]
