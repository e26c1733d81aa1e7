"""The tokens with which devices log in."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.registry.tokens import new_token

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
