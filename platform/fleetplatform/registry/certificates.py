"""Whose certificates an organization trusts, and which its devices have shown."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError, NotFoundError, StaleError
from fleetplatform.registry import device_types
from fleetplatform.registry.chains import Authority, check_authority
from fleetplatform.registry.x509 import (
    fingerprint,
    name_of,
    name_sha256,
    read_chain,
    read_list,
    readable,
)
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.certificates import (
    CertificateAuthorities,
    CertificateAuthority,
    DeviceCertificate,
    DeviceCertificates,
    NewCertificateAuthority,
    RevocationList,
)

AUTHORITIES_MAX = 100
"""Certificate authorities that an organization may trust at once."""
CERTIFICATES_MAX = 100
"""Certificates of a device that are shown."""
NAME_MAX = 200

_NOT_THERE = "the organization has no such certificate authority"
_queries: Any = load(__file__)


async def trust(pool: Pool, tenant: Tenant, new: NewCertificateAuthority) -> CertificateAuthority:
    """Trust an authority from now on.

    Raises InvalidError and ForbiddenError (certificate_*) for what is no authority, InvalidError
    (unknown_device_type), and ConflictError for one that is trusted already.
    """
    if not 1 <= len(new.name) <= NAME_MAX or "\0" in new.name:
        raise InvalidError(f"name: write 1 to {NAME_MAX} characters")
    certificate = _one(new.certificate)
    check_authority(certificate, datetime.now(UTC))
    try:
        async with transaction(pool, tenant) as conn:
            await _check_type(conn, new.device_type)
            await _check_room(conn, tenant.organization)
            authority_id = await _queries.add_authority(
                conn,
                organization_id=tenant.organization,
                name=new.name,
                certificate=certificate.public_bytes(Encoding.DER),
                certificate_sha256=fingerprint(certificate),
                subject_sha256=name_sha256(certificate.subject),
                subject=_subject(certificate),
                valid_from=certificate.not_valid_before_utc,
                valid_until=certificate.not_valid_after_utc,
                device_type=new.device_type,
            )
            return _authority(await _queries.read_authority(conn, authority_id=authority_id))
    except asyncpg.UniqueViolationError:
        raise ConflictError(f"{name_of(certificate)} is trusted already") from None


def _one(pem: str) -> x509.Certificate:
    found = read_chain(pem)
    if len(found) != 1:
        sentence = f"give one certificate, not {len(found)}"
        raise InvalidError(sentence, code="certificate_malformed")
    return found[0]


def _subject(certificate: x509.Certificate) -> str:
    with readable("the subject of the certificate"):
        return certificate.subject.rfc4514_string().replace("\0", "")


async def _check_type(conn: Connection, name: str | None) -> None:
    if name is not None and not await device_types.find(conn, [(name, None)]):
        raise InvalidError(f"there is no device type {name[:200]!r}", code="unknown_device_type")


async def _check_room(conn: Connection, organization: UUID) -> None:
    if await _queries.count_authorities(conn, organization_id=organization) >= AUTHORITIES_MAX:
        raise ConflictError(f"an organization trusts {AUTHORITIES_MAX} authorities at most")


async def listed(pool: Pool, tenant: Tenant, page: Page) -> CertificateAuthorities:
    """The authorities that are trusted, in order of name."""
    async with transaction(pool, tenant) as conn:
        found = [
            _authority(row)
            async for row in _queries.list_authorities(
                conn,
                after_value=page.after_value,
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (one.name, one.authority_id))
    return CertificateAuthorities(certificate_authorities=shown, next_cursor=cursor)


async def read(pool: Pool, tenant: Tenant, authority: UUID) -> CertificateAuthority:
    """One authority that is trusted; raises NotFoundError."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.read_authority(conn, authority_id=authority)
    if row is None:
        raise NotFoundError(_NOT_THERE)
    return _authority(row)


async def revoke(
    pool: Pool, tenant: Tenant, authority: UUID, pem: str, expected: int | None
) -> CertificateAuthority:
    """Keep a newer list of what an authority revoked.

    Raises InvalidError (revocations_malformed, revocations_foreign, revocations_outdated) for a
    list that is not its own or says nothing any more, ConflictError (revocations_older) for one
    that is older than the one kept, NotFoundError and StaleError.
    """
    found = read_list(pem)
    due = found.next_update_utc
    if due is not None and due < datetime.now(UTC):
        raise InvalidError("the list's next update is past", code="revocations_outdated")
    async with transaction(pool, tenant) as conn:
        held = await _hold(conn, tenant.organization, authority, expected)
        _check_list(found, x509.load_der_x509_certificate(held["certificate"]))
        kept = held["revocations_issued_at"]
        if kept is not None and found.last_update_utc < kept:
            sentence = f"the list is older than the one kept, which was issued {kept.isoformat()}"
            raise ConflictError(sentence, code="revocations_older")
        await _queries.put_revocations(
            conn,
            organization_id=tenant.organization,
            authority_id=authority,
            revocations=found.public_bytes(Encoding.DER),
            issued_at=found.last_update_utc,
            due_at=due,
            count=len(found),
        )
        return _authority(await _queries.read_authority(conn, authority_id=authority))


def _check_list(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    with readable("the revocation list", "revocations_malformed"):
        own = found.issuer == issuer.subject
        # The stubs name the keys that a list can be signed with; a wrong kind raises TypeError.
        own = own and found.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    if not own:
        sentence = f"the list is not signed by {name_of(issuer)}"
        raise InvalidError(sentence, code="revocations_foreign")


async def distrust(pool: Pool, tenant: Tenant, authority: UUID, expected: int | None) -> None:
    """Trust an authority no more; devices that came with it stay as they are.

    Raises NotFoundError and StaleError.
    """
    async with transaction(pool, tenant) as conn:
        await _hold(conn, tenant.organization, authority, expected)
        await _queries.distrust_authority(
            conn, organization_id=tenant.organization, authority_id=authority
        )


async def _hold(conn: Connection, organization: UUID, authority: UUID, expected: int | None) -> Any:
    row = await _queries.hold_authority(conn, organization_id=organization, authority_id=authority)
    if row is None:
        raise NotFoundError(_NOT_THERE)
    if expected is not None and row["revision"] != expected:
        raise StaleError("the certificate authority was changed since it was read")
    return row


async def authorities_of(conn: Connection, organization: UUID) -> list[Authority]:
    """All authorities that an organization trusts or trusted."""
    return [
        Authority(
            authority_id=row["authority_id"],
            certificate=x509.load_der_x509_certificate(row["certificate"]),
            revocations=(
                None if row["revocations"] is None else x509.load_der_x509_crl(row["revocations"])
            ),
            device_type=row["device_type"],
            trusted=row["trusted"],
        )
        async for row in _queries.authorities_of(conn, organization_id=organization)
    ]


async def was_shown(conn: Connection, organization: UUID, certificate: x509.Certificate) -> bool:
    """Whether a device has shown this certificate before."""
    found = await _queries.find_certificate(
        conn, organization_id=organization, certificate_sha256=fingerprint(certificate)
    )
    return found is not None


async def note(
    conn: Connection,
    organization: UUID,
    device: UUID,
    certificate: x509.Certificate,
    authority: UUID,
) -> None:
    """Write down a certificate that a device has shown and proven; those before it give way."""
    await _queries.replace_certificates(conn, organization_id=organization, device_id=device)
    await _queries.add_certificate(
        conn,
        organization_id=organization,
        device_id=device,
        authority_id=authority,
        certificate_sha256=fingerprint(certificate),
        serial_number=f"{certificate.serial_number:x}",
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
    )


async def of_device(pool: Pool, tenant: Tenant, device: UUID) -> DeviceCertificates:
    """The certificates that a device has shown, newest first; raises NotFoundError."""
    async with transaction(pool, tenant) as conn:
        if not await _queries.sees_device(conn, device_id=device):
            raise NotFoundError("the organization has no such device")
        found = [
            _certificate(row)
            async for row in _queries.certificates_of(
                conn, device_id=device, count=CERTIFICATES_MAX
            )
        ]
    return DeviceCertificates(certificates=tuple(found))


def _authority(row: Any) -> CertificateAuthority:
    issued, due = row["revocations_issued_at"], row["revocations_due_at"]
    return CertificateAuthority(
        organization_id=row["organization_id"],
        authority_id=row["authority_id"],
        name=row["name"],
        subject=row["subject"],
        sha256=row["certificate_sha256"].hex(),
        valid_from_us=to_us(row["valid_from"]),
        valid_until_us=to_us(row["valid_until"]),
        device_type=row["device_type"],
        revocations=None
        if issued is None
        else RevocationList(
            revoked=row["revocations_count"],
            issued_at_us=to_us(issued),
            due_at_us=None if due is None else to_us(due),
        ),
        revision=row["revision"],
    )


def _certificate(row: Any) -> DeviceCertificate:
    replaced = row["replaced_at"]
    return DeviceCertificate(
        certificate_id=row["certificate_id"],
        authority_id=row["authority_id"],
        sha256=row["certificate_sha256"].hex(),
        serial_number=row["serial_number"],
        valid_from_us=to_us(row["valid_from"]),
        valid_until_us=to_us(row["valid_until"]),
        shown_at_us=to_us(row["created_at"]),
        replaced_at_us=None if replaced is None else to_us(replaced),
    )
