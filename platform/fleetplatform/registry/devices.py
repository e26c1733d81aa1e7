"""Devices: enrolment of many at once, what is said of each, and when it was last heard of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal
from uuid import UUID

import asyncpg
from msgspec import UNSET

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError, NotFoundError, StaleError
from fleetplatform.registry import credentials, device_types, quotas, sensors
from fleetplatform.registry.device_types import KnownType
from fleetplatform.registry.tags import check_firmware, sorted_tags
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.resources.devices import (
    Device,
    DeviceChange,
    EnrolledDevice,
    EnrolledDevices,
    NewDevice,
)

SERIAL_MAX = 200
LISTED_MAX = 5
NO_DEVICE = "the organization has no such device"

FirstStatus = Literal["active", "provisioning"]
"""How a device can begin its life."""

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Contact:
    """A device is online while its last contact is at most `offline_after_us` before `now_us`."""

    now_us: int
    offline_after_us: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """What will be enrolled: one entry a device; `sensor_ids` as its type orders them."""

    devices: Sequence[NewDevice]
    device_ids: list[UUID]
    types: list[KnownType]
    gateways: list[UUID | None]
    sensor_ids: list[list[UUID]]


async def enrol(
    pool: Pool, tenant: Tenant, new: Sequence[NewDevice], status: FirstStatus = "active"
) -> EnrolledDevices:
    """Enrol all of the devices with their sensors, calibrations and tokens, or none.

    Devices that begin in provisioning get their token with their first contact. Raises
    InvalidError for an unknown device type, version, hardware revision, gateway or sensor,
    ConflictError for a serial number that is taken, and QuotaError for too many.
    """
    try:
        async with transaction(pool, tenant) as conn:
            return await enrol_within(conn, tenant.organization, new, status)
    except asyncpg.UniqueViolationError:
        said = "a serial number was enrolled by somebody else meanwhile"
        raise ConflictError(said, code="serial_taken") from None


async def enrol_within(
    conn: Connection, owner: UUID, new: Sequence[NewDevice], status: FirstStatus
) -> EnrolledDevices:
    """The same inside a transaction of that tenant which does more.

    Raises asyncpg.UniqueViolationError too.
    """
    _check_serials(new)
    tags = _tags(new)
    await quotas.ensure_room(conn, "devices", len(new))
    await _queries.keep_to_indexes(conn)
    plan = await _plan(conn, owner, new)
    await _queries.add_devices(
        conn,
        organization_id=owner,
        device_ids=plan.device_ids,
        types=[one.device_type_id for one in plan.types],
        versions=[one.version for one in plan.types],
        revisions=_revisions(new, plan.types),
        serials=[one.serial_number for one in new],
        gateways=plan.gateways,
        tags=["\n".join(one) for one in tags],
        firmware=[one.firmware_version for one in new],
        device_status=status,
    )
    await sensors.add(conn, owner, plan.device_ids, plan.types, plan.sensor_ids)
    await sensors.calibrate(conn, owner, new, plan.types, plan.sensor_ids)
    speakers = [
        one
        for one, gateway in zip(plan.device_ids, plan.gateways, strict=True)
        if gateway is None and status == "active"
    ]
    tokens = await credentials.add(conn, owner, speakers)
    enrolled = zip(plan.device_ids, plan.sensor_ids, strict=True)
    return EnrolledDevices(
        devices=tuple(
            EnrolledDevice(device_id=one, token=tokens.get(one), sensor_ids=tuple(ids))
            for one, ids in enrolled
        )
    )


def _check_serials(new: Sequence[NewDevice]) -> None:
    serials = Counter(one.serial_number for one in new)
    repeated = [serial for serial, count in serials.items() if count > 1]
    if repeated:
        said = f"given more than once: serial number {_list(repeated)}"
        raise ConflictError(said, code="serial_repeated")
    wrong = [serial for serial in serials if not 1 <= len(serial) <= SERIAL_MAX or "\0" in serial]
    if wrong:
        said = f"a serial number has 1 to {SERIAL_MAX} characters, not {_list(wrong)}"
        raise InvalidError(said, code="invalid_serial")


def _tags(new: Sequence[NewDevice]) -> list[list[str]]:
    """The tags of each device as they are kept; raises InvalidError for a tag or firmware."""
    for one in new:
        check_firmware(one.firmware_version, f'device "{one.serial_number}"')
    return [sorted_tags(one.tags, f'device "{one.serial_number}"') for one in new]


async def _plan(conn: Connection, organization: UUID, new: Sequence[NewDevice]) -> _Plan:
    types = await _types(conn, new)
    total = len(new) + sum(len(one.sensors) for one in types)
    ids = iter(await _queries.new_ids(conn, count=total) or ())
    device_ids = list(islice(ids, len(new)))
    here = {one.serial_number: i for one, i in zip(new, device_ids, strict=True)}
    wanted = {one.gateway for one in new if one.gateway is not None}
    found = {
        row["serial_number"]: row["device_id"]
        async for row in _queries.find_serials(
            conn, organization_id=organization, serials=sorted(here.keys() | wanted)
        )
    }
    taken = sorted(here.keys() & found.keys())
    if taken:
        said = f"already enrolled: serial number {_list(taken)}"
        raise ConflictError(said, code="serial_taken")
    gateways = _gateways(new, found | here)
    sensor_ids = [list(islice(ids, len(one.sensors))) for one in types]
    return _Plan(new, device_ids, types, gateways, sensor_ids)


async def _types(conn: Connection, new: Sequence[NewDevice]) -> list[KnownType]:
    """What each device is; raises InvalidError."""
    wanted = [(one.device_type, one.device_type_version) for one in new]
    known = await device_types.find(conn, wanted)
    missing = set(wanted) - known.keys()
    if missing:
        names = sorted(name if v is None else f"{name} version {v}" for name, v in missing)
        said = f"there is no device type {_list(names)}"
        raise InvalidError(said, code="unknown_device_type")
    return [known[one] for one in wanted]


def _revisions(new: Sequence[NewDevice], types: Sequence[KnownType]) -> list[str]:
    """The hardware revision of each device, the first of its type where it does not say."""
    for device, known in zip(new, types, strict=True):
        revision = device.hardware_revision
        if revision is not None and revision not in known.hardware_revisions:
            place = f"device {_list([device.serial_number])}"
            there = _list(known.hardware_revisions)
            said = f'{device.device_type} has no hardware revision "{revision}", only {there}'
            raise InvalidError(f"{place}: {said}", code="unknown_hardware_revision")
    pairs = zip(new, types, strict=True)
    chosen = [one.hardware_revision or known.hardware_revisions[0] for one, known in pairs]
    for device, known, revision in zip(new, types, chosen, strict=True):
        _check_fit(device, known, revision)
    return chosen


def _check_fit(device: NewDevice, known: KnownType, revision: str) -> None:
    """Raise InvalidError for firmware that its type does not have for that hardware."""
    version, fits = device.firmware_version, known.firmware
    if version is None or not fits or revision in fits.get(version, ()):
        return
    there = [one for one, revisions in fits.items() if revision in revisions]
    said = f'firmware "{version}" is none that hardware revision "{revision}" can run'
    place = f"device {_list([device.serial_number])}"
    only = f"only {_list(there)}" if there else "there is none"
    raise InvalidError(f"{place}: {said}, {only}", code="unfit_firmware")


def _gateways(new: Sequence[NewDevice], known: dict[str, UUID]) -> list[UUID | None]:
    missing = {one.gateway for one in new if one.gateway is not None} - known.keys()
    if missing:
        said = f"there is no gateway with serial number {_list(sorted(missing))}"
        raise InvalidError(said, code="unknown_gateway")
    own = [one.serial_number for one in new if one.gateway == one.serial_number]
    if own:
        said = f"a device cannot be its own gateway: {_list(own)}"
        raise InvalidError(said, code="own_gateway")
    return [None if one.gateway is None else known[one.gateway] for one in new]


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED_MAX} more" if len(names) > LISTED_MAX else ""
    return ", ".join(f'"{name}"' for name in names[:LISTED_MAX]) + more


async def read(pool: Pool, tenant: Tenant, device: UUID, contact: Contact) -> Device:
    """One device that the organization sees; raises NotFoundError for any other."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.find_device(conn, device_id=device)
    if row is None:
        raise NotFoundError(NO_DEVICE)
    return view(row, contact)


async def change(
    pool: Pool,
    tenant: Tenant,
    device: UUID,
    wanted: DeviceChange,
    expected: int | None,
    contact: Contact,
) -> Device:
    """Change what is said of a device of the organization.

    Raises InvalidError for a tag, version or gateway that cannot be, NotFoundError, and StaleError
    where the device has another revision than the expected one.
    """
    tags = None if wanted.tags is UNSET else sorted_tags(wanted.tags, "tags")
    firmware = None if wanted.firmware_version is UNSET else wanted.firmware_version
    check_firmware(firmware, "firmware_version")
    if wanted.gateway_id == device:
        raise InvalidError("gateway_id: a device cannot be its own gateway", code="own_gateway")
    async with transaction(pool, tenant) as conn:
        await _check_gateway(conn, tenant.organization, wanted)
        changed = await _queries.change_device(
            conn,
            organization_id=tenant.organization,
            device_id=device,
            expected=expected,
            changes_tags=tags is not None,
            tags=tags,
            changes_firmware=wanted.firmware_version is not UNSET,
            firmware_version=firmware,
            changes_gateway=wanted.gateway_id is not UNSET,
            gateway_id=None if wanted.gateway_id is UNSET else wanted.gateway_id,
        )
        if changed is None:
            await _refuse_change(conn, tenant.organization, device)
        if isinstance(wanted.gateway_id, UUID):
            # From now on the gateway speaks for it, and nobody could take its tokens back.
            await credentials.end(conn, tenant.organization, device, 0.0)
        row = await _queries.find_device(conn, device_id=device)
    return view(row, contact)


async def _check_gateway(conn: Connection, organization: UUID, wanted: DeviceChange) -> None:
    gateway = wanted.gateway_id
    if isinstance(gateway, UUID) and not await _queries.has_device(
        conn, organization_id=organization, device_id=gateway
    ):
        said = "gateway_id: the organization has no such device"
        raise InvalidError(said, code="unknown_gateway")


async def _refuse_change(conn: Connection, organization: UUID, device: UUID) -> None:
    """Say why a device was not changed."""
    if await _queries.has_device(conn, organization_id=organization, device_id=device):
        raise StaleError("the device was changed since it was read; read it again")
    raise NotFoundError(NO_DEVICE)


def view(row: Any, contact: Contact) -> Device:
    """A row of a device as the API shows it."""
    seen_us = None if row["last_seen_at"] is None else to_us(row["last_seen_at"])
    return Device(
        revision=row["revision"],
        organization_id=row["organization_id"],
        device_id=row["device_id"],
        serial_number=row["serial_number"],
        device_status=row["device_status"],
        device_type=row["device_type"],
        device_type_version=row["device_type_version"],
        hardware_revision=row["hardware_revision"],
        firmware_version=row["firmware_version"],
        tags=tuple(row["tags"]),
        gateway_id=row["gateway_id"],
        last_seen_us=seen_us,
        online=seen_us is not None and contact.now_us - seen_us <= contact.offline_after_us,
        created_us=to_us(row["created_at"]),
    )


async def record_contact(pool: Pool, device_ids: list[UUID], seen_at: list[datetime]) -> None:
    """Note when each of some devices was last heard of, in one statement."""
    async with pool.acquire() as conn, conn.transaction():
        await _queries.record_contact(conn, device_ids=device_ids, seen_at=seen_at)
