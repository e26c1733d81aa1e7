"""Answers sealed so that only the bearer of a token can have them opened again.

An answer may hold tokens, shown once. It is kept under AES-256-GCM (NIST SP 800-38D) with a key
that HKDF (RFC 5869) derives from the token and the idempotency key of the request; the platform
keeps neither that key nor the token, so a copy of the database opens nothing.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_NONCE_BYTES = 12
_PURPOSE = b"fleetstorm: answer kept for an idempotency key"


def seal(token: str, key: str, bound_to: bytes, answer: bytes) -> bytes:
    """The answer as it may be kept: nonce, ciphertext, tag; opens for the same `bound_to` only."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher(token, key).encrypt(nonce, answer, bound_to)


def unseal(token: str, key: str, bound_to: bytes, sealed: bytes) -> bytes | None:
    """The answer again; None where it was sealed with another token."""
    try:
        return _cipher(token, key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except InvalidTag:
        return None


def _cipher(token: str, key: str) -> AESGCM:
    derive = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=key.encode(), info=_PURPOSE)
    return AESGCM(derive.derive(token.encode()))
