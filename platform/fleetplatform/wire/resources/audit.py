"""Who changed what."""

from uuid import UUID

from fleetplatform.wire.resources.body import Reply


class AuditEntry(Reply, frozen=True, kw_only=True):
    """One change; `actor` is api_key:<id>, user:<id> or operator, or database:<role> past the API.

    `action` is created, changed, status (a move in its life) or deleted; `changed` names what was
    changed, and where that is one thing and no secret, `from_state` and `to_state` say from what to
    what. Of a tie between two things, they are the other end. `occurred_at_us` is virtual time,
    `recorded_at_us` the wall clock.
    """

    audit_id: UUID
    organization_id: UUID
    subject_kind: str
    subject_id: UUID
    action: str
    changed: tuple[str, ...]
    from_state: str | None
    to_state: str | None
    actor: str
    reason: str | None
    occurred_at_us: int
    recorded_at_us: int


class AuditEntries(Reply, frozen=True, kw_only=True):
    """GET /v1/audit, newest first."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None = None
