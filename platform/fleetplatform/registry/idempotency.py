"""Idempotency keys: a request that is sent again is answered as it was, and not done again.

A key is new → claimed → answered → expired. A claim that is not answered within LEASE_S was left
by a process that died; the same request then claims it anew.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError

KEY_MAX = 200
ROUTE_MAX = 2_000
"""Of the route that is kept, in characters."""
LEASE_S = 60.0
"""No request takes longer: each of its statements is bound to less."""

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was sent with a key: by whom, where to (method and path), and what."""

    tenant: Tenant
    key: str
    route: str
    body_sha256: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered to a request, sealed by whoever had it kept."""

    status: int
    sealed: bytes


def check_key(key: str) -> None:
    """Raise InvalidError (invalid_idempotency_key) for a key that cannot be one."""
    if not 1 <= len(key) <= KEY_MAX or not key.isascii() or not key.isprintable():
        raise InvalidError(
            f"Idempotency-Key: write 1 to {KEY_MAX} printable ASCII characters, such as a UUID",
            code="invalid_idempotency_key",
        )


async def claim(pool: Pool, asked: Asked, kept_s: float) -> UUID | Kept:
    """The claim under which the request is to be done, or what was answered to it.

    Raises InvalidError (idempotency_key_reused) where the key was used for something else, and
    ConflictError (idempotency_in_progress) while the first request with it is not answered.
    """
    async with transaction(pool, asked.tenant) as conn:
        claim_id: UUID | None = await _queries.claim_idempotency_key(
            conn,
            **_identity(asked),
            route=asked.route,
            body_sha256=asked.body_sha256,
            kept=timedelta(seconds=kept_s),
            lease=timedelta(seconds=LEASE_S),
        )
        if claim_id is not None:
            return claim_id
        row = await _queries.find_idempotency_key(conn, **_identity(asked))
    if row is not None:
        used_for = (row["route"], row["body_sha256"])
        if used_for != (asked.route, asked.body_sha256):
            raise reused()
        if row["status"] is not None:
            return Kept(row["status"], row["answer"])
    raise ConflictError(
        "the first request with this Idempotency-Key is not answered yet; send it again later",
        code="idempotency_in_progress",
    )


def reused() -> InvalidError:
    """The refusal of a key that was used for something else."""
    return InvalidError(
        "the Idempotency-Key was used for another request; take a new one for each",
        code="idempotency_key_reused",
    )


async def keep(pool: Pool, asked: Asked, claim_id: UUID, answer: Kept) -> None:
    """Keep what is answered to a request, for those who send it again."""
    async with transaction(pool, asked.tenant) as conn:
        await _queries.answer_idempotency_key(
            conn,
            **_identity(asked),
            claim_id=claim_id,
            status=answer.status,
            answer=answer.sealed,
        )


async def release(pool: Pool, asked: Asked, claim_id: UUID) -> None:
    """Give a key back: its request was refused for now, and may be sent again at once."""
    async with transaction(pool, asked.tenant) as conn:
        await _queries.release_idempotency_key(conn, **_identity(asked), claim_id=claim_id)


async def expire(pool: Pool, kept_s: float) -> None:
    """Forget what was kept for longer; a job of the worker."""
    async with transaction(pool, None) as conn:
        await _queries.expire_idempotency_keys(conn, kept=timedelta(seconds=kept_s))


def _identity(asked: Asked) -> dict[str, Any]:
    return {
        "organization_id": asked.tenant.organization,
        "actor": asked.tenant.actor,
        "idempotency_key": asked.key,
    }
