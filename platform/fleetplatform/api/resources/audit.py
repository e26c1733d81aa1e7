"""What was done to the things of an organization."""

from typing import Annotated
from uuid import UUID

from litestar import get
from litestar.params import Parameter

from fleetplatform.api.access import Context
from fleetplatform.registry import audit
from fleetplatform.wire.resources import AuditEntries

COUNT = 1000
COUNT_MAX = 100_000


@get("/v1/audit")
async def read_audit(
    subject: UUID,
    organization: UUID,
    context: Context,
    limit: Annotated[int, Parameter(ge=1, le=COUNT_MAX)] = COUNT,
) -> AuditEntries:
    """Who moved a thing of the organization, when and why; newest first."""
    return AuditEntries(entries=tuple(await audit.of(context.pool, organization, subject, limit)))


handlers = [read_audit]
