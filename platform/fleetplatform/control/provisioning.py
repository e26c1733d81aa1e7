"""The first contact of a device: it proves who it is and gets a token and a configuration.

What it shows is checked before anything is written; then one transaction makes it active, gives
it its token and its first configuration, and uses the claim token up. The audit log names the
device. A device that is active already and shows another certificate of the same trust gets a new
token, with those before it good for an overlap: that is how certificates are renewed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from cryptography import x509

from fleetplatform.control import configurations
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, ForbiddenError, InvalidError
from fleetplatform.registry import (
    certificates,
    chains,
    claims,
    credentials,
    device_types,
    devices,
    life_cycle,
    quotas,
    sensors,
)
from fleetplatform.registry.life_cycle import Met
from fleetplatform.registry.tokens import digest
from fleetplatform.registry.x509 import fingerprint, name_sha256, read_chain
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.provisioning import (
    FirstContact,
    NewToken,
    Provisioned,
    proof_text,
)

TRIES = 3
"""So often a first contact is tried that somebody else's crossed."""

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What has been shown for a device.

    device_type: what it becomes if nobody registered it; None: it must be · only_type: it must be
    of this type; None: of any · certificate, authority: None for a claim token.
    """

    serial_number: str
    device_type: str | None
    only_type: str | None
    reason: str
    certificate: x509.Certificate | None = None
    authority: UUID | None = None


async def provision(pool: Pool, contact: FirstContact, overlap_s: float) -> Provisioned:
    """Take a device in by a certificate or by a claim token.

    Raises InvalidError for a contact that says neither or both, ForbiddenError with the code of
    what is wrong with what it shows (certificate_*, proof_*, claim_*, device_unregistered,
    device_inactive) and ConflictError (already_provisioned, organization_ambiguous).
    """
    by_certificate = contact.certificate_chain is not None and contact.proof is not None
    by_claim = contact.claim_token is not None
    if by_certificate == by_claim or (by_claim and contact.certificate_chain is not None):
        raise InvalidError(
            "send serial_number, certificate_chain and proof, or claim_token, and not both"
        )
    return await (_by_claim if by_claim else _by_certificate)(pool, contact, overlap_s)


async def _by_certificate(pool: Pool, contact: FirstContact, overlap_s: float) -> Provisioned:
    serial, proof = contact.serial_number, contact.proof
    if serial is None or contact.certificate_chain is None or proof is None:
        raise InvalidError("serial_number: a certificate is shown for one device")
    _check_serial(serial)
    now = datetime.now(UTC)
    chain = read_chain(contact.certificate_chain)
    chains.check_issued(chain[0])
    organization = contact.organization_id or await _organization_of(pool, chain)
    async with transaction(pool, Tenant(organization, "first_contact")) as conn:
        authority = chains.judge(chain, await certificates.authorities_of(conn, organization), now)
    chains.check_serial(chain[0], serial)
    _check_proof(chain[0], contact, now)
    shown = _Shown(
        serial_number=serial,
        device_type=authority.device_type,
        only_type=None,
        reason="first contact with a certificate",
        certificate=chain[0],
        authority=authority.authority_id,
    )
    actor = f"certificate_authority:{authority.authority_id}"

    async def show(_: Connection) -> _Shown:
        return shown

    return await _take_in(pool, Tenant(organization, actor), show, overlap_s)


async def _organization_of(pool: Pool, chain: list[x509.Certificate]) -> UUID:
    """Who trusts an authority that signed a certificate of a chain; a name alone is not enough.

    Raises ForbiddenError (certificate_untrusted) and ConflictError (organization_ambiguous).
    """
    names = {name_sha256(one.issuer) for one in chain}
    async with pool.acquire() as conn:
        found = {
            row["organization_id"]
            async for row in _queries.find_trusted_authorities(conn, subjects_sha256=sorted(names))
            if chains.vouches(x509.load_der_x509_certificate(row["certificate"]), chain)
        }
    if not found:
        raise ForbiddenError(
            "the chain leads to no authority that is trusted", code="certificate_untrusted"
        )
    if len(found) > 1:
        raise ConflictError(
            "several organizations trust this authority: say organization_id",
            code="organization_ambiguous",
        )
    organization: UUID = found.pop()
    return organization


def _check_serial(serial: str) -> None:
    if not 1 <= len(serial) <= devices.SERIAL_MAX or "\0" in serial:
        raise InvalidError(f"serial_number: write 1 to {devices.SERIAL_MAX} characters")


def _check_proof(certificate: x509.Certificate, contact: FirstContact, now: datetime) -> None:
    if contact.proof is None or contact.serial_number is None:
        raise InvalidError("proof: a certificate alone proves nothing")
    made_us = contact.proof.timestamp_us
    if abs(made_us - to_us(now)) > chains.PROOF_AGE_US:
        raise chains.stale()
    text = proof_text(fingerprint(certificate).hex(), made_us, contact.serial_number)
    chains.check_proof(certificate, text, contact.proof.signature)


async def _by_claim(pool: Pool, contact: FirstContact, overlap_s: float) -> Provisioned:
    if contact.serial_number is not None:
        _check_serial(contact.serial_number)
    async with pool.acquire() as conn:
        row = await _queries.find_claim_token(conn, sha256=digest(contact.claim_token or ""))
    if row is None:
        raise ForbiddenError("the claim token is not known", code="claim_unknown")

    async def show(conn: Connection) -> _Shown:
        claim = await claims.use(conn, row["organization_id"], row["claim_id"])
        return _Shown(
            serial_number=_claimed_serial(claim.serial_number, contact.serial_number),
            device_type=claim.device_type,
            only_type=claim.device_type,
            reason="first contact with a claim token",
        )

    tenant = Tenant(row["organization_id"], f"claim_token:{row['claim_id']}")
    return await _take_in(pool, tenant, show, overlap_s)


def _claimed_serial(claimed: str | None, said: str | None) -> str:
    if claimed is not None and said is not None and claimed != said:
        raise ForbiddenError("the claim token is another device's", code="claim_serial")
    serial = claimed or said
    if serial is None:
        raise InvalidError("serial_number: the claim token does not say which device it is")
    return serial


async def _take_in(
    pool: Pool,
    tenant: Tenant,
    show: Callable[[Connection], Awaitable[_Shown]],
    overlap_s: float,
) -> Provisioned:
    """All of it in one transaction; again where the same device was registered meanwhile."""
    for _ in range(TRIES):
        try:
            async with transaction(pool, tenant) as conn:
                return await _meet(conn, tenant.organization, await show(conn), overlap_s)
        except asyncpg.UniqueViolationError:
            continue
    raise ConflictError("the device makes contact elsewhere at the same time")


async def _meet(
    conn: Connection, organization: UUID, shown: _Shown, overlap_s: float
) -> Provisioned:
    if shown.device_type is not None:
        # It may have to be registered and counted, and whoever enrols counts first too: taken the
        # other way round, the two locks would wait for each other.
        await quotas.hold(conn)
    met = await life_cycle.meet(conn, organization, shown.serial_number)
    if met is None:
        met = await _register(conn, organization, shown)
    _check_met(met, shown)
    await _queries.act_as(conn, actor=f"device:{met.device_id}")
    rotated = met.status != "provisioning"
    if rotated:
        await _check_rotation(conn, organization, shown)
    else:
        await life_cycle.activate(conn, organization, met.device_id, shown.reason)
        await _configure(conn, organization, met)
    new = await credentials.rotate_within(conn, organization, met.device_id, overlap_s)
    if shown.certificate is not None and shown.authority is not None:
        await certificates.note(
            conn, organization, met.device_id, shown.certificate, shown.authority
        )
    return Provisioned(
        organization_id=organization,
        device_id=met.device_id,
        token=new.token,
        rotated=rotated,
        sensors=await sensors.of_device(conn, organization, met.device_id),
        configuration=configurations.as_told(await configurations.of_device(conn, met.device_id)),
    )


async def _register(conn: Connection, organization: UUID, shown: _Shown) -> Met:
    """A device that nobody registered, where what it shows allows that."""
    if shown.device_type is None:
        raise ForbiddenError(
            f"nobody registered a device {shown.serial_number[:200]!r}",
            code="device_unregistered",
        )
    new = NewDevice(serial_number=shown.serial_number, device_type=shown.device_type)
    await devices.enrol_within(conn, organization, [new], "provisioning")
    met = await life_cycle.meet(conn, organization, shown.serial_number)
    if met is None:
        raise ConflictError("the device was registered and is gone")
    return met


def _check_met(met: Met, shown: _Shown) -> None:
    if shown.only_type is not None and met.device_type != shown.only_type:
        raise ForbiddenError(
            f"the claim token is for devices of type {shown.only_type!r}", code="claim_device_type"
        )
    if met.status in ("suspended", "decommissioned"):
        raise ForbiddenError(f"the device is {met.status}", code="device_inactive")
    if met.has_gateway:
        raise ForbiddenError(
            "its gateway speaks for the device, which has no tokens of its own",
            code="behind_gateway",
        )


async def _check_rotation(conn: Connection, organization: UUID, shown: _Shown) -> None:
    """A device that is active has nothing to show but another certificate."""
    certificate = shown.certificate
    if certificate is None or await certificates.was_shown(conn, organization, certificate):
        raise ConflictError(
            "the device is provisioned; it gets a new token with POST /v1/device/token, or from"
            " an operator",
            code="already_provisioned",
        )


async def _configure(conn: Connection, organization: UUID, met: Met) -> None:
    wanted = (met.device_type, met.device_type_version)
    known = (await device_types.find(conn, [wanted]))[wanted]
    settings = configurations.generate_device_config(known.configuration)
    await configurations.add(conn, organization, met.device_id, settings)


async def rotate_own_token(pool: Pool, token: str, overlap_s: float) -> NewToken | None:
    """A new token for the device that shows one which is good; None for any other token.

    Raises ForbiddenError (device_inactive) and ConflictError (too_many_tokens).
    """
    sha256 = digest(token)
    async with pool.acquire() as conn:
        row = await _queries.find_device_token(conn, sha256=sha256)
    if row is None:
        return None
    tenant = Tenant(row["organization_id"], f"device:{row['device_id']}")
    async with transaction(pool, tenant) as conn:
        # Asked again where nobody changes it any more: the token may have been taken back, or the
        # device suspended, while this waited.
        await life_cycle.hold(conn)
        row = await _queries.find_device_token(conn, sha256=sha256)
        if row is None:
            return None
        if row["device_status"] not in ("active", "maintenance"):
            raise ForbiddenError(f"the device is {row['device_status']}", code="device_inactive")
        return await credentials.rotate_within(
            conn, row["organization_id"], row["device_id"], overlap_s
        )
