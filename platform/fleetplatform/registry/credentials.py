"""The tokens with which devices log in, and how one takes over from another.

A new token is good at once; those before it stay good for an overlap, so that a device which sends
all the time never stands without one.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, ForbiddenError, NotFoundError
from fleetplatform.registry.tokens import new_token
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.resources.provisioning import NewToken

TOKENS_MAX = 8
"""Tokens of a device that may be good at once."""

_queries: Any = load(__file__)


async def add(conn: Connection, organization: UUID, devices: Sequence[UUID]) -> dict[UUID, str]:
    """A new token for each of some devices; only its digest is kept."""
    made = [new_token() for _ in devices]
    await _queries.add_credentials(
        conn,
        organization_id=organization,
        device_ids=list(devices),
        digests=[digest for _, digest in made],
    )
    return {device: token for device, (token, _) in zip(devices, made, strict=True)}


async def end(conn: Connection, organization: UUID, device: UUID, overlap_s: float) -> datetime:
    """The tokens of a device are good for so long and no longer; returns until when."""
    until: datetime = await _queries.end_credentials(
        conn,
        organization_id=organization,
        device_id=device,
        overlap=timedelta(seconds=overlap_s),
    )
    return until


async def rotate(pool: Pool, tenant: Tenant, device: UUID, overlap_s: float) -> NewToken:
    """A new token for a device; those before it are good for `overlap_s` more (wall clock).

    Raises NotFoundError, ForbiddenError (device_inactive, behind_gateway) for a device that has
    no tokens, and ConflictError (too_many_tokens).
    """
    async with transaction(pool, tenant) as conn:
        return await rotate_within(conn, tenant.organization, device, overlap_s)


async def rotate_within(
    conn: Connection, organization: UUID, device: UUID, overlap_s: float
) -> NewToken:
    """The same inside a transaction that does more."""
    await _queries.hold_registry(conn)
    row = await _queries.find_speaker(conn, organization_id=organization, device_id=device)
    if row is None:
        raise NotFoundError("the organization has no such device")
    if row["device_status"] not in ("active", "maintenance", "suspended"):
        sentence = f"a device that is {row['device_status']} has no tokens"
        raise ForbiddenError(sentence, code="device_inactive")
    if row["gateway_id"] is not None:
        sentence = "its gateway speaks for the device, which has no tokens of its own"
        raise ForbiddenError(sentence, code="behind_gateway")
    until = await end(conn, organization, device, overlap_s)
    good = await _queries.count_good_credentials(
        conn, organization_id=organization, device_id=device
    )
    if good >= TOKENS_MAX:
        raise ConflictError(
            f"{good} tokens of the device are good; wait until one is not, or say overlap_s=0",
            code="too_many_tokens",
        )
    made = await add(conn, organization, [device])
    return NewToken(device_id=device, token=made[device], others_until_us=to_us(until))
