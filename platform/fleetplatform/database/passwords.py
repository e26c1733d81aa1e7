"""Passwords of the database's roles: generated, kept for the next start, never sent in clear."""

import asyncio
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fleetplatform.errors import DatabaseError

_SCRAM_ITERATIONS = 4096


class PasswordFile:
    """The passwords of one server's roles, in the user's state folder, readable by nobody else."""

    def __init__(self, server: str) -> None:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", server)
        self._path = Path(base) / "fleetstorm" / f"database-{name}.json"

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keeps other processes of this user away from the server's roles."""
        try:
            descriptor = self._open_lock()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> dict[str, str]:
        """Role → password; empty when nothing usable is kept."""
        try:
            kept = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def write(self, passwords: dict[str, str]) -> None:
        """Keep the passwords; raises DatabaseError where that is impossible."""
        aside = self._path.with_suffix(f".{os.getpid()}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w") as file:
                json.dump(passwords, file)
            aside.replace(self._path)
        except OSError as error:
            raise self._unusable(error) from error

    def _open_lock(self) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)

    def _unusable(self, error: OSError) -> DatabaseError:
        return DatabaseError(
            f"the database's passwords cannot be kept in {self._path.parent}: {error.strerror};"
            " set XDG_STATE_HOME to a folder that can be written"
        )


def generate() -> str:
    """A password of 256 random bits."""
    return secrets.token_urlsafe(32)


def scram_verifier(password: str) -> str:
    """What PostgreSQL keeps of a password (RFC 5803), so that the password is never in a log."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
