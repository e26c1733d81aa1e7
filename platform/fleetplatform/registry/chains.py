"""Whether a chain of certificates proves who a device is.

`judge` goes from what anybody can see to what only the right device has: keys and hashes that
hold, signatures up to a trusted authority, times, purposes, revocations; then `check_serial` and
`check_proof`. Each refusal has its own code. After the narrow checks the library's verifier builds
the path again (RFC 5280, section 6), for what they do not ask: name constraints, encodings.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from fleetplatform.errors import ForbiddenError, InvalidError
from fleetplatform.registry.x509 import (
    CHAIN_MAX,
    extension,
    fingerprint,
    name_of,
    readable,
    signed_by,
)

PROOF_AGE_US = 5 * 60 * 1_000_000
"""How far a proof's time may be from the wall clock."""

_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority of an organization, with its newest list of revocations.

    device_type: what a device is that nobody registered, or None · trusted: whether it still is.
    """

    authority_id: UUID
    certificate: x509.Certificate
    revocations: x509.CertificateRevocationList | None
    device_type: str | None
    trusted: bool


def check_issued(certificate: x509.Certificate) -> None:
    """Refuse a device's certificate that nobody vouches for (certificate_self_signed)."""
    if certificate.subject == certificate.issuer and signed_by(certificate, certificate):
        raise _refusal("certificate_self_signed", f"{name_of(certificate)} is signed by itself")


def vouches(authority: x509.Certificate, chain: Sequence[x509.Certificate]) -> bool:
    """Whether an authority signed a certificate of a chain."""
    return any(signed_by(one, authority) for one in chain)


def judge(
    chain: Sequence[x509.Certificate], authorities: Sequence[Authority], now: datetime
) -> Authority:
    """The trusted authority that a chain leads to, when everything on the way is in order.

    chain: the device's certificate first, each issued by the one after it. authorities: all that
    the organization has or had. Raises ForbiddenError with the code of what is wrong.
    """
    with readable("the certificate chain"):
        chain, authority = _end(chain, authorities)
        path = [*chain, authority.certificate]
        for one in path:
            _check_times(one, now)
        _check_device(path[0])
        for below, issuer in enumerate(path[1:]):
            _check_issuer(issuer, below)
        _check_revoked(path, authorities, now)
        _verify(path, now)
    return authority


def _end(
    chain: Sequence[x509.Certificate], authorities: Sequence[Authority]
) -> tuple[Sequence[x509.Certificate], Authority]:
    """A chain in which each is signed by the next, up to below a trusted authority, and that."""
    for one, issuer in pairwise(chain):
        if not signed_by(one, issuer):
            raise _refusal("certificate_untrusted", f"{name_of(one)} is not issued by the next")
    trusted = {fingerprint(one.certificate): one for one in authorities if one.trusted}
    given_up = {fingerprint(one.certificate) for one in authorities} - trusted.keys()
    sent = [fingerprint(one) for one in chain]
    if given_up & set(sent):
        raise _refusal("certificate_untrusted", "an authority in the chain is trusted no more")
    for at in range(len(chain) - 1, 0, -1):
        if sent[at] in trusted:
            return chain[:at], trusted[sent[at]]
    for authority in trusted.values():
        if signed_by(chain[-1], authority.certificate):
            return chain, authority
    raise _refusal("certificate_untrusted", "the chain leads to no authority that is trusted")


def _check_times(certificate: x509.Certificate, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        since = certificate.not_valid_before_utc.isoformat()
        raise _refusal("certificate_not_yet_valid", f"{name_of(certificate)} holds from {since} on")
    if now > certificate.not_valid_after_utc:
        until = certificate.not_valid_after_utc.isoformat()
        raise _refusal("certificate_expired", f"{name_of(certificate)} held until {until}")


def _check_device(certificate: x509.Certificate) -> None:
    """A device's certificate is for a client, and for nothing that issues others."""
    usage = extension(certificate, x509.ExtendedKeyUsage)
    if usage is None or _CLIENT not in usage:
        raise _purpose(certificate, "has not the extended key usage clientAuth")
    basic = extension(certificate, x509.BasicConstraints)
    if basic is not None and basic.ca:
        raise _purpose(certificate, "is an authority's (CA:TRUE), not a device's")
    key = extension(certificate, x509.KeyUsage)
    if key is not None and not key.digital_signature:
        raise _purpose(certificate, "may not sign (key usage digitalSignature)")
    _check_understood(certificate)


def _check_issuer(certificate: x509.Certificate, below: int) -> None:
    """An issuer is an authority, over no more authorities `below` it than it allows."""
    basic = extension(certificate, x509.BasicConstraints)
    if basic is None or not basic.ca:
        raise _purpose(certificate, "issued another but is no authority (CA:TRUE)")
    key = extension(certificate, x509.KeyUsage)
    if key is not None and not key.key_cert_sign:
        raise _purpose(certificate, "may not sign certificates (key usage keyCertSign)")
    if basic.path_length is not None and below > basic.path_length:
        raise _purpose(certificate, f"allows {basic.path_length} authorities below it, not {below}")
    usage = extension(certificate, x509.ExtendedKeyUsage)
    if usage is not None and not {_CLIENT, _ANY} & set(usage):
        raise _purpose(certificate, "may not issue for clients (extended key usage)")
    _check_understood(certificate)


def check_authority(certificate: x509.Certificate, now: datetime) -> None:
    """Whether a certificate can be an organization's authority at all; raises ForbiddenError."""
    with readable("the certificate"):
        _check_times(certificate, now)
        _check_issuer(certificate, 0)


def _check_understood(certificate: x509.Certificate) -> None:
    for one in certificate.extensions:
        if one.critical and isinstance(one.value, x509.UnrecognizedExtension):
            raise _purpose(certificate, f"has the critical extension {one.oid.dotted_string}")


def _check_revoked(
    path: Sequence[x509.Certificate], authorities: Sequence[Authority], now: datetime
) -> None:
    """Each certificate against the list of its issuer, where the organization has one."""
    for authority in authorities:
        found = authority.revocations if authority.trusted else None
        issued = [
            one for one in path if found is not None and signed_by(one, authority.certificate)
        ]
        if found is None or not issued:
            continue
        for one in issued:
            if found.get_revoked_certificate_by_serial_number(one.serial_number) is not None:
                raise _refusal("certificate_revoked", f"{name_of(one)} was revoked")
        due = found.next_update_utc
        if due is not None and now > due:
            raise _refusal(
                "revocations_expired",
                f"the revocation list of {name_of(authority.certificate)} held until"
                f" {due.isoformat()}; an admin must put the next one",
            )


def _verify(path: Sequence[x509.Certificate], now: datetime) -> None:
    leaf, *intermediates, root = path
    verifier = (
        PolicyBuilder()
        .store(Store([root]))
        .time(now)
        .max_chain_depth(CHAIN_MAX)
        .extension_policies(
            ca_policy=ExtensionPolicy.permit_all().require_present(
                x509.BasicConstraints, Criticality.AGNOSTIC, None
            ),
            ee_policy=ExtensionPolicy.permit_all(),
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, intermediates)
    except VerificationError as error:
        sentence = f"the chain does not hold: {str(error)[:200]}"
        raise _refusal("certificate_untrusted", sentence) from None


def check_serial(certificate: x509.Certificate, serial_number: str) -> None:
    """Whether a certificate is the one of a device; raises ForbiddenError (certificate_serial).

    The serial number stands in the subject's attribute serialNumber; without one it is the
    subject's common name; without that, a DNS name of subjectAltName.
    """
    with readable("the names in the certificate"):
        names = _serials(certificate)
    if serial_number not in names:
        raise _refusal(
            "certificate_serial", f"{name_of(certificate)} is not that of {serial_number[:200]!r}"
        )


def _serials(certificate: x509.Certificate) -> list[str]:
    for oid in (NameOID.SERIAL_NUMBER, NameOID.COMMON_NAME):
        found = certificate.subject.get_attributes_for_oid(oid)
        if found:
            return [str(one.value) for one in found]
    names = extension(certificate, x509.SubjectAlternativeName)
    return [] if names is None else names.get_values_for_type(x509.DNSName)


def stale() -> ForbiddenError:
    """The refusal of a proof whose time is further than PROOF_AGE_US from the wall clock."""
    minutes = PROOF_AGE_US // 60_000_000
    sentence = f"the proof's time is more than {minutes} minutes from the wall clock"
    return _refusal("proof_stale", sentence)


def check_proof(certificate: x509.Certificate, text: bytes, signature: str) -> None:
    """Whether whoever sends a certificate has its key; raises ForbiddenError (proof_invalid)."""
    try:
        _check_signature(certificate, text, base64.b64decode(signature, validate=True))
    except (binascii.Error, ValueError, InvalidSignature):
        sentence = "the signature is not one of proof_text by the certificate's key"
        raise _refusal("proof_invalid", sentence) from None


def _check_signature(certificate: x509.Certificate, text: bytes, signature: bytes) -> None:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise InvalidError("the certificate has no key that signs", code="certificate_weak")


def _purpose(certificate: x509.Certificate, what: str) -> ForbiddenError:
    return _refusal("certificate_purpose", f"{name_of(certificate)} {what}")


def _refusal(code: str, sentence: str) -> ForbiddenError:
    return ForbiddenError(sentence, code=code)
