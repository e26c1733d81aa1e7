"""Certificates: who is trusted to make them, what was revoked, which a device has shown."""

from uuid import UUID

from fleetplatform.wire.resources.body import Body, Reply, Revised


class NewCertificateAuthority(Body, frozen=True, kw_only=True):
    """POST /v1/certificate-authorities: one certificate in PEM, of a root or of an intermediate.

    With `device_type` a device that nobody registered becomes a device of that type when it comes
    with a certificate of this authority; without, it is refused.
    """

    name: str
    certificate: str
    device_type: str | None = None


class RevocationList(Reply, frozen=True, kw_only=True):
    """What is known of the list that is kept; times are of the wall clock.

    After `due_at_us` (null: never) the list says nothing any more, and first contacts wait for
    the next one.
    """

    revoked: int
    issued_at_us: int
    due_at_us: int | None


class CertificateAuthority(Revised, frozen=True, kw_only=True):
    """A certificate authority that is trusted; times are of the wall clock."""

    organization_id: UUID
    authority_id: UUID
    name: str
    subject: str
    sha256: str
    valid_from_us: int
    valid_until_us: int
    device_type: str | None
    revocations: RevocationList | None


class CertificateAuthorities(Reply, frozen=True, kw_only=True):
    """GET /v1/certificate-authorities."""

    certificate_authorities: tuple[CertificateAuthority, ...]
    next_cursor: str | None


class NewRevocationList(Body, frozen=True, kw_only=True):
    """PUT /v1/certificate-authorities/{authority_id}/revocations: one list in PEM."""

    revocations: str


class DeviceCertificate(Reply, frozen=True, kw_only=True):
    """A certificate that a device has shown and proven; times are of the wall clock."""

    certificate_id: UUID
    authority_id: UUID
    sha256: str
    serial_number: str
    valid_from_us: int
    valid_until_us: int
    shown_at_us: int
    replaced_at_us: int | None


class DeviceCertificates(Reply, frozen=True, kw_only=True):
    """GET /v1/devices/{device_id}/certificates, newest first; a hundred at most."""

    certificates: tuple[DeviceCertificate, ...]
