"""Certificates and revocation lists as somebody sent them: read, named, and found weak.

Whatever cannot be read is the sender's mistake and raises InvalidError.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from fleetplatform.errors import ForbiddenError, InvalidError

CHAIN_BYTES_MAX = 65_536
CHAIN_MAX = 8
"""Certificates that a device may send."""
LIST_BYTES_MAX = 4 * 1024 * 1024
RSA_BITS = range(2_048, 8_193)

_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_SERIAL_BITS_MAX = 160
_HASHES = (
    hashes.SHA256, hashes.SHA384, hashes.SHA512, hashes.SHA3_256, hashes.SHA3_384, hashes.SHA3_512,
)  # fmt: skip
_KEYS = "use EC on P-256, P-384 or P-521, or RSA of 2048 to 8192 bits"
_UNREADABLE = (
    ValueError, TypeError, NotImplementedError, OverflowError, UnsupportedAlgorithm,
    x509.InvalidVersion, x509.DuplicateExtension,
)  # fmt: skip

_T = TypeVar("_T")


@contextmanager
def readable(what: str, code: str = "certificate_malformed") -> Iterator[None]:
    """What the library cannot make sense of inside is refused with a code: InvalidError."""
    try:
        yield
    except _UNREADABLE as error:
        raise InvalidError(f"{what} cannot be read: {type(error).__name__}", code=code) from None


def read_chain(pem: str) -> list[x509.Certificate]:
    """One to CHAIN_MAX certificates in PEM, each with a key and a hash that hold.

    Raises InvalidError (certificate_malformed) and ForbiddenError (certificate_weak).
    """
    with readable("the certificate chain"):
        chain = x509.load_pem_x509_certificates(_bytes(pem, CHAIN_BYTES_MAX))
        if len(chain) > CHAIN_MAX:
            sentence = f"a chain has at most {CHAIN_MAX} certificates, not {len(chain)}"
            raise InvalidError(sentence, code="certificate_malformed")
        for one in chain:
            _read_all(one)
            _check_strength(one)
    return chain


def read_list(pem: str) -> x509.CertificateRevocationList:
    """One revocation list in PEM; raises InvalidError (revocations_malformed)."""
    with readable("the revocation list", "revocations_malformed"):
        found = x509.load_pem_x509_crl(_bytes(pem, LIST_BYTES_MAX))
        _ = (found.issuer, found.last_update_utc, found.next_update_utc, found.extensions)
        if found.signature_hash_algorithm is None or not isinstance(
            found.signature_hash_algorithm, _HASHES
        ):
            sentence = "the revocation list is signed with a hash that does not hold"
            raise InvalidError(sentence, code="revocations_malformed")
        _ = len(found)
        if any(one.critical for one in found.extensions):
            # A delta or a list of some certificates only (RFC 5280, 5.2.4 and 5.2.5): taken for a
            # whole one it would let in what another list revokes.
            sentence = "the revocation list is but a part of one: put a complete list"
            raise InvalidError(sentence, code="revocations_malformed")
        return found


def _bytes(pem: str, most: int) -> bytes:
    packed = pem.encode("ascii")
    if len(packed) > most:
        raise ValueError(f"more than {most} bytes")
    return packed


def _read_all(certificate: x509.Certificate) -> None:
    """Ask for everything that is asked for later, since the library reads late."""
    _ = (
        certificate.subject, certificate.issuer, certificate.not_valid_before_utc,
        certificate.not_valid_after_utc, list(certificate.extensions), certificate.public_key(),
        certificate.tbs_certificate_bytes, certificate.signature,
    )  # fmt: skip
    if not 0 < certificate.serial_number.bit_length() <= _SERIAL_BITS_MAX:
        raise ValueError("a serial number that no issuer may give")


def _check_strength(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        holds = key.curve.name in _CURVES
    else:
        holds = isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS
    who = name_of(certificate)
    if not holds:
        raise ForbiddenError(f"the key of {who} does not hold: {_KEYS}", code="certificate_weak")
    if not isinstance(certificate.signature_hash_algorithm, _HASHES):
        raise ForbiddenError(
            f"{who} is signed with a hash that does not hold: use SHA-256 or better",
            code="certificate_weak",
        )


def name_of(certificate: x509.Certificate) -> str:
    """A certificate in the words of its subject, for people."""
    with readable("the subject of a certificate"):
        text = certificate.subject.rfc4514_string().replace("\0", "")
    return f'the certificate "{text[:100]}"'


def name_sha256(name: x509.Name) -> bytes:
    """SHA-256 of a name in DER."""
    with readable("a name in a certificate"):
        return hashlib.sha256(name.public_bytes()).digest()


def fingerprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 of a certificate in DER."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate names an issuer and carries its signature."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def extension(certificate: x509.Certificate, kind: type[_T]) -> _T | None:
    """The extension of a kind that a certificate has, or None."""
    found = [one.value for one in certificate.extensions if isinstance(one.value, kind)]
    return found[0] if found else None
