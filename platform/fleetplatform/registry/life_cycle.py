"""The life of a device: provisioning → active ⇄ maintenance, active ⇄ suspended → decommissioned.

The database refuses every other move and records those that are made; here a refusal becomes a
sentence. A decommissioned device stays so, and its data are kept.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import IllegalMoveError, InvalidError, NotFoundError
from fleetplatform.registry.devices import Contact, view
from fleetplatform.wire.resources.devices import Device, NewStatus

REASON_MAX = 500

_LIFE_CYCLE = "devices_life_cycle"
_queries: Any = load(__file__)


async def move(
    pool: Pool, tenant: Tenant, device: UUID, new: NewStatus, contact: Contact
) -> Device:
    """Move a device on and record who did it and why, in one transaction.

    Raises InvalidError for a reason that cannot be kept, NotFoundError for a device that the
    organization does not have, and IllegalMoveError for a move that is not in its life.
    """
    if not 1 <= len(new.reason) <= REASON_MAX or "\0" in new.reason:
        raise InvalidError(f"reason: say why in 1 to {REASON_MAX} characters")
    try:
        async with transaction(pool, tenant) as conn:
            await _queries.give_reason(conn, reason=new.reason)
            moved = await _queries.move_device(
                conn,
                organization_id=tenant.organization,
                device_id=device,
                device_status=new.status,
            )
            row = moved and await _queries.find_device(conn, device_id=device)
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != _LIFE_CYCLE:
            raise
        raise IllegalMoveError(error.message) from None
    if row is None:
        raise NotFoundError("the organization has no such device")
    return view(row, contact)


@dataclass(frozen=True, slots=True)
class Met:
    """A device that makes contact; `status` is where it stands in its life."""

    device_id: UUID
    status: str
    has_gateway: bool
    device_type: str
    device_type_version: str


async def hold(conn: Connection) -> None:
    """Until the transaction ends nobody else changes devices or their tokens."""
    await _queries.hold_registry(conn)


async def meet(conn: Connection, organization: UUID, serial_number: str) -> Met | None:
    """The device with a serial number, held until the transaction ends; None: there is none."""
    await hold(conn)
    row = await _queries.meet_device(
        conn, organization_id=organization, serial_number=serial_number
    )
    if row is None:
        return None
    return Met(
        device_id=row["device_id"],
        status=row["device_status"],
        has_gateway=row["gateway_id"] is not None,
        device_type=row["device_type"],
        device_type_version=row["device_type_version"],
    )


async def activate(conn: Connection, organization: UUID, device: UUID, reason: str) -> None:
    """Move a device that waits for its first contact on to active."""
    await _queries.give_reason(conn, reason=reason)
    await _queries.move_device(
        conn, organization_id=organization, device_id=device, device_status="active"
    )
