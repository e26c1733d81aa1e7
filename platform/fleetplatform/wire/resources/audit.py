"""Who changed what."""

from uuid import UUID

from fleetplatform.wire.resources.body import Reply


class AuditEntry(Reply, frozen=True, kw_only=True):
    """One change; `actor` is api_key:<id>, or database:<role> for one made past the API.

    `occurred_at_us` is virtual time, `recorded_at_us` the wall clock.
    """

    audit_id: UUID
    subject_kind: str
    subject_id: UUID
    action: str
    from_state: str
    to_state: str
    actor: str
    reason: str | None
    occurred_at_us: int
    recorded_at_us: int


class AuditEntries(Reply, frozen=True, kw_only=True):
    """GET /v1/audit?subject=…, newest first."""

    entries: tuple[AuditEntry, ...]
