"""Claim tokens: a first contact for devices that have no certificate.

A token is 256 random bits, of which the SHA-256 is kept. It serves `uses` devices; whoever uses it
holds its row until the end of the transaction, so it never serves one more.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ForbiddenError, InvalidError, NotFoundError
from fleetplatform.registry import device_types
from fleetplatform.registry.fields import after_instant
from fleetplatform.registry.tokens import new_token
from fleetplatform.timeseries.instants import to_datetime, to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.provisioning import (
    ClaimToken,
    ClaimTokens,
    MadeClaimToken,
    NewClaimToken,
)

USES_MAX = 1_000_000
SERIAL_MAX = 200
EXPIRES_US_MAX = 253_370_764_800_000_000
"""The year 9999, the last that is understood everywhere."""

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim token says of the device that uses it; None: nothing."""

    serial_number: str | None
    device_type: str | None


async def make(pool: Pool, tenant: Tenant, new: NewClaimToken) -> MadeClaimToken:
    """A claim token, good from now on; raises InvalidError (unknown_device_type too)."""
    _check(new)
    token, sha256 = new_token()
    async with transaction(pool, tenant) as conn:
        wanted = new.device_type
        if wanted is not None and not await device_types.find(conn, [(wanted, None)]):
            sentence = f"there is no device type {wanted[:200]!r}"
            raise InvalidError(sentence, code="unknown_device_type")
        claim_id = await _queries.add_claim(
            conn,
            organization_id=tenant.organization,
            token_sha256=sha256,
            serial_number=new.serial_number,
            device_type=new.device_type,
            expires_at=to_datetime(new.expires_at_us),
            uses=new.uses,
        )
    return MadeClaimToken(
        organization_id=tenant.organization,
        claim_id=claim_id,
        serial_number=new.serial_number,
        device_type=new.device_type,
        uses=new.uses,
        uses_left=new.uses,
        expires_at_us=new.expires_at_us,
        token=token,
    )


def _check(new: NewClaimToken) -> None:
    serial, wanted = new.serial_number, new.device_type
    if serial is None and wanted is None:
        raise InvalidError("say for whom it is: a serial_number, a device_type, or both")
    if serial is not None and (not 1 <= len(serial) <= SERIAL_MAX or "\0" in serial):
        raise InvalidError(f"serial_number: write 1 to {SERIAL_MAX} characters")
    if wanted is not None and "\0" in wanted:
        raise InvalidError("device_type: a name has no NUL")
    if not 1 <= new.uses <= (USES_MAX if serial is None else 1):
        raise InvalidError(f"uses: 1 to {USES_MAX}, and 1 for a single device")
    if not to_us(datetime.now(UTC)) < new.expires_at_us < EXPIRES_US_MAX:
        raise InvalidError("expires_at_us: give a time to come, in µs since 1970")


async def listed(pool: Pool, tenant: Tenant, page: Page) -> ClaimTokens:
    """The claim tokens that nobody revoked, in the order in which they were made."""
    after = after_instant(page)
    async with transaction(pool, tenant) as conn:
        rows = [
            row
            async for row in _queries.list_claims(
                conn, after_value=after, after_id=page.after_id, count=page.limit + 1
            )
        ]
    shown, cursor = cut(rows, page, lambda row: (str(to_us(row["created_at"])), row["claim_id"]))
    return ClaimTokens(claim_tokens=tuple(_view(row) for row in shown), next_cursor=cursor)


async def revoke(pool: Pool, tenant: Tenant, claim: UUID) -> None:
    """A claim token is good no more; raises NotFoundError."""
    async with transaction(pool, tenant) as conn:
        found = await _queries.revoke_claim(
            conn, organization_id=tenant.organization, claim_id=claim
        )
    if found is None:
        raise NotFoundError("the organization has no such claim token")


async def use(conn: Connection, organization: UUID, claim: UUID) -> Claim:
    """Use a claim token for one device, if the transaction commits.

    Raises ForbiddenError (claim_unknown, claim_expired, claim_used).
    """
    row = await _queries.hold_claim(conn, organization_id=organization, claim_id=claim)
    if row is None or row["revoked"]:
        raise ForbiddenError("the claim token is not known", code="claim_unknown")
    if row["expired"]:
        raise ForbiddenError("the claim token's time is over", code="claim_expired")
    if not row["uses_left"]:
        raise ForbiddenError("the claim token is used up", code="claim_used")
    await _queries.use_claim(conn, organization_id=organization, claim_id=claim)
    return Claim(row["serial_number"], row["device_type"])


def _view(row: Any) -> ClaimToken:
    return ClaimToken(
        organization_id=row["organization_id"],
        claim_id=row["claim_id"],
        serial_number=row["serial_number"],
        device_type=row["device_type"],
        uses=row["uses"],
        uses_left=row["uses_left"],
        expires_at_us=to_us(row["expires_at"]),
    )
