"""Verifiers of passwords, and the file that keeps the passwords."""

import hmac
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from fleetplatform.database import passwords
from fleetplatform.database.passwords import PasswordFile, generate, scram_verifier
from fleetplatform.errors import DatabaseError


def test_a_verifier_is_that_of_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange of RFC 7677, section 3: the server's signature follows from the verifier."""
    salt = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    monkeypatch.setattr(passwords.secrets, "token_bytes", lambda size: salt[:size])
    verifier = scram_verifier("pencil")
    nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    first = f"n=user,r=rOprNGfwEbeRWgbNEkqO,{nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    exchange = f"{first},c=biws,{nonce}"
    server_key = b64decode(verifier.rpartition(":")[2])
    signature = hmac.digest(server_key, exchange.encode(), "sha256")
    assert b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert verifier.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")


def test_two_passwords_are_never_the_same() -> None:
    assert len({generate() for _ in range(100)}) == 100


async def test_passwords_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = PasswordFile("[::1]:5432")
    assert file.read() == {}
    async with file.held():
        file.write({"iot_api": "secret"})
    assert PasswordFile("[::1]:5432").read() == {"iot_api": "secret"}
    assert PasswordFile("other:5432").read() == {}
    kept = next((tmp_path / "fleetstorm").glob("*.json"))
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fleetstorm").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(DatabaseError, match=r"cannot be kept in .*set XDG_STATE_HOME"):
        async with PasswordFile("server:5432").held():
            pass


def test_a_broken_file_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "fleetstorm").mkdir()
    (tmp_path / "fleetstorm" / "database-server_5432.json").write_text("{")
    assert PasswordFile("server:5432").read() == {}
