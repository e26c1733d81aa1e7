"""Whether a chain of certificates proves who a device is, case by case."""

import base64
import hashlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from pki import DAY, SERVER, Party, make, root

from fleetplatform.errors import ForbiddenError, InvalidError, RequestError
from fleetplatform.registry import chains
from fleetplatform.registry.chains import Authority
from fleetplatform.registry.x509 import CHAIN_BYTES_MAX, CHAIN_MAX, read_chain, read_list

ROOT = root()
INTERMEDIATE = ROOT.authority("intermediate")
DEVICE = INTERMEDIATE.issue("d1")
RSA = rsa.generate_private_key(65_537, 2_048)
RSA_ROOT = root("rsa", key=RSA)


def trusted(party: Party, revocations: str | None = None, *, still: bool = True) -> Authority:
    listed = None if revocations is None else read_list(revocations)
    return Authority(uuid.uuid4(), party.certificate, listed, None, still)


def judged(pem: str, *authorities: Authority) -> Authority:
    chain = read_chain(pem)
    chains.check_issued(chain[0])
    return chains.judge(chain, authorities or (trusted(ROOT),), datetime.now(UTC))


def refused(pem: str, *authorities: Authority) -> str:
    with pytest.raises(RequestError) as caught:
        judged(pem, *authorities)
    return caught.value.code


@pytest.mark.parametrize(
    "device",
    [
        ROOT.issue(),
        DEVICE,
        INTERMEDIATE.authority("third").issue(),
        ROOT.issue(key=ec.generate_private_key(ec.SECP384R1())),
        ROOT.issue(key=RSA),
        ROOT.authority("last", path_length=0).issue(),
    ],
    ids=["under the root", "one between", "two between", "P-384", "RSA", "path length 0"],
)
def test_a_chain_up_to_a_trusted_authority_holds(device):
    authority = trusted(ROOT)
    assert judged(device.chain, trusted(RSA_ROOT), authority) is authority
    assert judged(device.chain + ROOT.pem, authority) is authority


def test_an_authority_may_be_an_intermediate():
    authority = trusted(INTERMEDIATE)
    assert judged(DEVICE.pem, authority) is authority
    assert judged(DEVICE.chain, authority) is authority
    assert judged(RSA_ROOT.issue().chain, trusted(RSA_ROOT)).certificate == RSA_ROOT.certificate


@pytest.mark.parametrize(
    ("code", "pem"),
    [
        ("certificate_expired", ROOT.issue(begins=-2 * DAY, ends=-DAY).chain),
        ("certificate_not_yet_valid", ROOT.issue(begins=DAY, ends=2 * DAY).chain),
        ("certificate_expired", ROOT.authority("old", begins=-2 * DAY, ends=-DAY).issue().chain),
        ("certificate_untrusted", root("other").issue().chain),
        ("certificate_untrusted", root("root").issue().chain),
        ("certificate_untrusted", DEVICE.pem),
        ("certificate_untrusted", DEVICE.pem + root("other").pem + INTERMEDIATE.pem),
        ("certificate_self_signed", make(None, "d1").pem),
        ("certificate_self_signed", ROOT.pem),
        ("certificate_purpose", ROOT.issue(usages=SERVER).chain),
        ("certificate_purpose", ROOT.issue(usages=None).chain),
        ("certificate_purpose", INTERMEDIATE.chain),
        ("certificate_purpose", ROOT.issue("no authority").issue().chain),
        ("certificate_purpose", ROOT.authority("x", cert_sign=False).issue().chain),
        ("certificate_purpose", ROOT.authority("x", path_length=0).authority("y").issue().chain),
        ("certificate_weak", RSA_ROOT.issue(weak=hashes.SHA1).chain),
        ("certificate_weak", RSA_ROOT.issue(weak=hashes.MD5).chain),
        ("certificate_weak", ROOT.issue(key=rsa.generate_private_key(65_537, 1_024)).chain),
        ("certificate_weak", ROOT.issue(key=ec.generate_private_key(ec.SECP224R1())).chain),
        ("certificate_weak", ROOT.issue(key=ed25519.Ed25519PrivateKey.generate()).chain),
        ("certificate_malformed", ""),
        ("certificate_malformed", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        ("certificate_malformed", DEVICE.pem * (CHAIN_MAX + 1)),
        ("certificate_malformed", DEVICE.pem + "#" * CHAIN_BYTES_MAX),
        ("certificate_malformed", DEVICE.pem.replace("MII", "MIJ", 1)),
        ("certificate_malformed", "\u00e9" + DEVICE.pem),
    ],
)
def test_each_fault_of_a_chain_has_its_code(code, pem):
    assert code == refused(pem, trusted(ROOT), trusted(RSA_ROOT))


def test_a_root_that_allows_no_authority_below_it_binds_what_is_below():
    strict = root("strict", path_length=0)
    assert judged(strict.issue().chain, trusted(strict))
    assert refused(strict.authority("x").issue().chain, trusted(strict)) == "certificate_purpose"


def test_a_critical_extension_that_nobody_understands_is_refused():
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert judged(ROOT.issue(extensions=((unknown, False),)).chain)
    assert refused(ROOT.issue(extensions=((unknown, True),)).chain) == "certificate_purpose"


def test_name_constraints_of_an_authority_bind_the_device():
    """Not one of the narrow checks: the library's verifier finds it."""
    constraint = x509.NameConstraints([x509.DNSName("ours.example")], None)
    authority = ROOT.authority("named", extensions=((constraint, True),))
    for host, holds in (("a.ours.example", True), ("a.theirs.example", False)):
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        device = authority.issue(extensions=((names, False),))
        if holds:
            assert judged(device.chain)
        else:
            assert refused(device.chain) == "certificate_untrusted"


def test_an_authority_given_up_is_trusted_no_more_wherever_it_stands():
    given_up = trusted(INTERMEDIATE, still=False)
    assert refused(DEVICE.chain, trusted(ROOT), given_up) == "certificate_untrusted"
    assert refused(DEVICE.chain, trusted(ROOT, still=False)) == "certificate_untrusted"
    assert judged(DEVICE.chain, trusted(ROOT), given_up, trusted(INTERMEDIATE))


def test_what_is_revoked_is_refused_and_nothing_else():
    other = ROOT.issue("other")
    device = ROOT.issue("d2")
    listed = trusted(ROOT, ROOT.revoke(other))
    assert judged(device.chain, listed)
    assert refused(other.chain, listed) == "certificate_revoked"
    assert refused(DEVICE.chain, trusted(ROOT, ROOT.revoke(INTERMEDIATE))) == "certificate_revoked"


def test_the_list_of_an_intermediate_counts_where_it_is_trusted_too():
    listed = trusted(INTERMEDIATE, INTERMEDIATE.revoke(DEVICE))
    assert judged(DEVICE.chain, trusted(ROOT))
    assert refused(DEVICE.chain, trusted(ROOT), listed) == "certificate_revoked"
    assert refused(DEVICE.pem, trusted(ROOT), listed) == "certificate_revoked"
    above = trusted(ROOT, ROOT.revoke(INTERMEDIATE))
    assert refused(DEVICE.pem, above, trusted(INTERMEDIATE)) == "certificate_revoked"


def test_an_overdue_list_says_nothing_any_more():
    overdue = ROOT.revoke(DEVICE, age=2 * DAY, due=DAY)
    assert refused(ROOT.issue("d2").chain, trusted(ROOT, overdue)) == "revocations_expired"


@pytest.mark.parametrize(
    ("device", "own", "others"),
    [
        (ROOT.issue("d1"), "d1", "D1"),
        (ROOT.issue("a climate station", serial="d1"), "d1", "a climate station"),
        (
            ROOT.issue(
                None,
                extensions=((x509.SubjectAlternativeName([x509.DNSName("d1")]), False),),
            ),
            "d1",
            "d2",
        ),
    ],
    ids=["common name", "serialNumber", "subjectAltName"],
)
def test_a_certificate_is_one_devices(device, own, others):
    chains.check_serial(device.certificate, own)
    for serial in (others, ""):
        with pytest.raises(ForbiddenError) as caught:
            chains.check_serial(device.certificate, serial)
        assert caught.value.code == "certificate_serial"


@pytest.mark.parametrize("device", [DEVICE, ROOT.issue(key=RSA)], ids=["EC", "RSA"])
def test_a_proof_is_a_signature_of_this_text_by_this_key(device):
    chains.check_proof(device.certificate, b"text", device.sign(b"text"))
    for signature in (device.sign(b"other"), ROOT.sign(b"text"), "", "AAAA", "not base64"):
        with pytest.raises(ForbiddenError) as caught:
            chains.check_proof(device.certificate, b"text", signature)
        assert caught.value.code == "proof_invalid"


def test_an_authority_must_be_one():
    now = datetime.now(UTC)
    chains.check_authority(INTERMEDIATE.certificate, now)
    for party, at, code in (
        (DEVICE, now, "certificate_purpose"),
        (ROOT, now + timedelta(days=2), "certificate_expired"),
        (ROOT.authority("x", cert_sign=False), now, "certificate_purpose"),
    ):
        with pytest.raises(ForbiddenError) as caught:
            chains.check_authority(party.certificate, at)
        assert caught.value.code == code


def test_a_list_that_cannot_be_read_is_refused():
    broken = ROOT.revoke(DEVICE).replace("MI", "AA", 1)
    for text in ("", DEVICE.pem, broken, ROOT.revoke(DEVICE, part=True)):
        with pytest.raises(InvalidError) as caught:
            read_list(text)
        assert caught.value.code == "revocations_malformed"


def _pem(der: bytes) -> str:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


DER = DEVICE.certificate.public_bytes(Encoding.DER)
SIGNED = st.integers(0, len(DER) - 1)


@given(st.binary(max_size=300) | st.tuples(SIGNED, SIGNED).map(lambda a: DER[min(a) : max(a)]))
def test_any_bytes_are_refused_by_name(der):
    assert refused(_pem(der)) == "certificate_malformed"


@given(st.lists(st.tuples(SIGNED, st.integers(1, 255)), min_size=1, max_size=4))
def test_a_certificate_with_other_bytes_is_refused_by_name(changes):
    changed = bytearray(DER)
    for at, how in changes:
        changed[at] ^= how
    if hashlib.sha256(changed).digest() == hashlib.sha256(DER).digest():
        return
    assert refused(_pem(bytes(changed)) + INTERMEDIATE.pem).startswith("certificate_")


@given(st.text(max_size=200))
def test_any_text_is_refused_by_name(text):
    assert refused(text) == "certificate_malformed"
    with pytest.raises(InvalidError):
        read_list(text)
