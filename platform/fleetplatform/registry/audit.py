"""The audit log, as an organization reads it; the database alone writes it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.timeseries.instants import to_datetime, to_us
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.audit import AuditEntry

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for; None takes all. Times in virtual µs, until not included."""

    subject: UUID | None = None
    subject_kind: str | None = None
    actor: str | None = None
    action: str | None = None
    since_us: int | None = None
    until_us: int | None = None


async def entries(pool: Pool, tenant: Tenant, wanted: Wanted, page: Page) -> list[AuditEntry]:
    """What was done to the things that the tenant sees, newest first; one more than the page."""
    async with transaction(pool, tenant) as conn:
        return [
            _entry(row)
            async for row in _queries.audit_entries(
                conn,
                subject_id=wanted.subject,
                subject_kind=wanted.subject_kind,
                actor=wanted.actor,
                action=wanted.action,
                since=None if wanted.since_us is None else to_datetime(wanted.since_us),
                until=None if wanted.until_us is None else to_datetime(wanted.until_us),
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        audit_id=row["audit_id"],
        organization_id=row["organization_id"],
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
        action=row["action"],
        changed=tuple(row["changed"]),
        from_state=row["from_state"],
        to_state=row["to_state"],
        actor=row["actor"],
        reason=row["reason"],
        occurred_at_us=to_us(row["occurred_at"]),
        recorded_at_us=to_us(row["recorded_at"]),
    )
