"""First contact, claim tokens, and tokens that take over from one another."""

from typing import Any
from uuid import UUID

from fleetplatform.wire.resources.body import Body, Reply


class RegisteredDevice(Body, frozen=True, kw_only=True):
    """POST /v1/devices: one device that will make its first contact itself.

    Its sensors follow from its type. Without a version it gets the one that was put last, without
    a hardware revision its type's first.
    """

    serial_number: str
    device_type: str
    device_type_version: str | None = None
    hardware_revision: str | None = None
    gateway: str | None = None


class Proof(Body, frozen=True, kw_only=True):
    """A signature by the certificate's key over `proof_text`, in Base64.

    `timestamp_us` is the wall clock when it was made. An EC key signs by ECDSA with SHA-256 (DER),
    an RSA key by PKCS #1 v1.5 with SHA-256.
    """

    timestamp_us: int
    signature: str


class FirstContact(Body, frozen=True, kw_only=True):
    """POST /v1/provision, without a token: a certificate with its proof, or a claim token.

    certificate_chain: PEM, the device's certificate first, each certified by the next one; the
    trusted authority itself may be left out · organization_id: needed only where several
    organizations trust the same authority.
    """

    serial_number: str | None = None
    certificate_chain: str | None = None
    proof: Proof | None = None
    organization_id: UUID | None = None
    claim_token: str | None = None


class Configuration(Reply, frozen=True, kw_only=True):
    """What a device works by; version 0 without settings for one that has none yet."""

    version: int
    settings: dict[str, Any]
    created_at_us: int | None


class DeviceConfiguration(Configuration, frozen=True, kw_only=True):
    """GET /v1/devices/{device_id}/configuration."""

    organization_id: UUID
    device_id: UUID


class Provisioned(Reply, frozen=True, kw_only=True):
    """The reply to a first contact; the token is shown this once.

    sensors: id by name, in the order of the device's type · rotated: the device was active
    already and has shown a certificate that takes over from the one before.
    """

    organization_id: UUID
    device_id: UUID
    token: str
    rotated: bool
    sensors: dict[str, UUID]
    configuration: Configuration


class NewToken(Reply, frozen=True, kw_only=True):
    """A new token, shown this once; those before it are good until `others_until_us`."""

    device_id: UUID
    token: str
    others_until_us: int


class NewClaimToken(Body, frozen=True, kw_only=True):
    """POST /v1/claim-tokens: for one device by serial number, or for devices of a type.

    With `device_type` a device that nobody registered becomes one of that type; without, the
    device must be registered. `expires_at_us` is of the wall clock.
    """

    serial_number: str | None = None
    device_type: str | None = None
    expires_at_us: int
    uses: int = 1


class ClaimToken(Reply, frozen=True, kw_only=True):
    """A claim token as it is shown later, without the token."""

    organization_id: UUID
    claim_id: UUID
    serial_number: str | None
    device_type: str | None
    uses: int
    uses_left: int
    expires_at_us: int


class MadeClaimToken(ClaimToken, frozen=True, kw_only=True):
    """A claim token as it is made; `token` is shown this once."""

    token: str


class ClaimTokens(Reply, frozen=True, kw_only=True):
    """GET /v1/claim-tokens: those that nobody revoked."""

    claim_tokens: tuple[ClaimToken, ...]
    next_cursor: str | None


def proof_text(certificate_sha256: str, timestamp_us: int, serial_number: str) -> bytes:
    """What a device signs to prove that the certificate's key is its own.

    certificate_sha256: of the certificate in DER, 64 lower-case hexadecimal digits.
    """
    lines = ("fleetstorm-provision/1", certificate_sha256, str(timestamp_us), serial_number)
    return "\n".join(lines).encode()
