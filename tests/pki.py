"""Certificates made by the tests: authorities, devices' certificates, lists of revocations."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.provisioning import FirstContact, Proof, proof_text

DAY = timedelta(days=1)
CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
_SHA256_RSA = bytes.fromhex("06092a864886f70d01010b")
_WEAK_RSA = {hashes.SHA1: b"\x05", hashes.MD5: b"\x04"}


def name(common: str | None = None, serial: str | None = None) -> x509.Name:
    given = ((NameOID.COMMON_NAME, common), (NameOID.SERIAL_NUMBER, serial))
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in given if text is not None])


@dataclass(frozen=True)
class Party:
    """A key with its certificate, and those who vouch for it, from the nearest to the root."""

    key: Any
    certificate: x509.Certificate
    above: tuple["Party", ...] = ()

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def chain(self) -> str:
        """The certificate and its intermediates, without the root."""
        return "".join([self.pem, *(one.pem for one in self.above[:-1])])

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, text: bytes) -> str:
        how = (
            (padding.PKCS1v15(), hashes.SHA256())
            if isinstance(self.key, rsa.RSAPrivateKey)
            else (ec.ECDSA(hashes.SHA256()),)
        )
        return base64.b64encode(self.key.sign(text, *how)).decode()

    def contact(self, serial: str, **more: Any) -> FirstContact:
        """What a device sends that has this certificate."""
        at_us = wall_now_us()
        sha256 = self.certificate.fingerprint(hashes.SHA256()).hex()
        proof = Proof(timestamp_us=at_us, signature=self.sign(proof_text(sha256, at_us, serial)))
        given = {"serial_number": serial, "certificate_chain": self.chain, "proof": proof}
        return FirstContact(**(given | more))

    def issue(self, common: str | None = "device", **how: Any) -> "Party":
        """A certificate that this party signs."""
        return make(self, common, **how)

    def authority(self, common: str, path_length: int | None = None, **how: Any) -> "Party":
        """An intermediate authority below this one."""
        return make(self, common, **({"ca": True, "path_length": path_length} | how))

    def revoke(
        self,
        *revoked: "Party",
        age: timedelta = timedelta(),
        due: timedelta = DAY,
        part: bool = False,
    ) -> str:
        """A list of what this party revoked, in PEM; `part`: only of what came since another."""
        issued = datetime.now(UTC) - age
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(issued)
            .next_update(issued + due)
            .add_extension(x509.CRLNumber(1), False)
        )
        if part:
            builder = builder.add_extension(x509.DeltaCRLIndicator(1), True)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().revocation_date(issued)
            number = one.certificate.serial_number
            builder = builder.add_revoked_certificate(entry.serial_number(number).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def root(common: str = "root", **how: Any) -> Party:
    """An authority that signs itself."""
    return make(None, common, **({"ca": True} | how))


def make(
    issuer: Party | None,
    common: str | None,
    *,
    key: Any = None,
    serial: str | None = None,
    ca: bool = False,
    path_length: int | None = None,
    cert_sign: bool = True,
    usages: tuple[x509.ObjectIdentifier, ...] | None = CLIENT,
    begins: timedelta = -DAY,
    ends: timedelta = DAY,
    weak: type[hashes.HashAlgorithm] | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> Party:
    """A certificate; `weak` signs it with a hash that no longer holds (the issuer's key is RSA)."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = name(common, serial)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca, path_length if ca else None), True)
    )
    if ca:
        usage = x509.KeyUsage(not cert_sign, *[False] * 4, cert_sign, cert_sign, False, False)
        builder = builder.add_extension(usage, True)
    elif usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = key if issuer is None else issuer.key
    made = builder.sign(signer, hashes.SHA256())
    above = () if issuer is None else (issuer, *issuer.above)
    return Party(key, _weakened(made, signer, weak) if weak else made, above)


def _weakened(
    certificate: x509.Certificate, key: rsa.RSAPrivateKey, weak: type[hashes.HashAlgorithm]
) -> x509.Certificate:
    """The same certificate, truly signed with a weak hash: the library signs none such."""
    oid = _SHA256_RSA[:-1] + _WEAK_RSA[weak]
    der = certificate.public_bytes(Encoding.DER).replace(_SHA256_RSA, oid)
    signed = certificate.tbs_certificate_bytes.replace(_SHA256_RSA, oid)
    size = len(certificate.signature)
    return x509.load_der_x509_certificate(
        der[:-size] + key.sign(signed, padding.PKCS1v15(), weak())
    )
