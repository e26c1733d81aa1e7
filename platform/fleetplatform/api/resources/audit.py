"""What was done to the things of an organization."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import get
from litestar.params import Parameter

from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.api.parameters import Instant, Text
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import audit
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.audit import AuditEntries, AuditEntry


@get("/v1/audit", dependencies={"page": page_of("-recorded")})
async def read_audit(
    tenant: Tenant,
    context: Context,
    page: Page,
    subject: Annotated[UUID | None, Parameter(description="Of one thing, by its id")] = None,
    subject_kind: Text = None,
    actor: Text = None,
    action: Literal["created", "changed", "status", "deleted"] | None = None,
    since_us: Instant = None,
    until_us: Instant = None,
) -> AuditEntries:
    """Who changed which thing of the organization, when and why; newest first."""
    wanted = audit.Wanted(subject, subject_kind, actor, action, since_us, until_us)
    found = await audit.entries(context.pool, tenant, wanted, page)
    entries, next_cursor = cut(found, page, _place)
    return AuditEntries(entries=entries, next_cursor=next_cursor)


def _place(entry: AuditEntry) -> tuple[str, UUID]:
    return str(entry.recorded_at_us), entry.audit_id


handlers = [read_audit]
