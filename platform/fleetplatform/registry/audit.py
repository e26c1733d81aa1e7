"""The audit log, as an organization reads it; the database alone writes it."""

from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.resources.audit import AuditEntry

_queries: Any = load(__file__)


async def of(pool: Pool, tenant: Tenant, subject: UUID, count: int) -> list[AuditEntry]:
    """What was done to one thing of the organization, newest first, `count` entries at most."""
    async with transaction(pool, tenant) as conn:
        return [
            AuditEntry(
                audit_id=row["audit_id"],
                subject_kind=row["subject_kind"],
                subject_id=row["subject_id"],
                action=row["action"],
                from_state=row["from_state"],
                to_state=row["to_state"],
                actor=row["actor"],
                reason=row["reason"],
                occurred_at_us=to_us(row["occurred_at"]),
                recorded_at_us=to_us(row["recorded_at"]),
            )
            async for row in _queries.audit_of(
                conn, organization_id=tenant.organization, subject_id=subject, count=count
            )
        ]
