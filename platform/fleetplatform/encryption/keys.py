"""Keys from their file: `key_id base64(32 bytes)`, one a line; # begins a comment."""

import base64
import binascii
import os
import re
import secrets
import stat
from pathlib import Path

from fleetplatform.errors import SettingsError
from fleetplatform.settings import EncryptionKeys, EncryptionSettings

KEY_BYTES = 32
KEYS_MAX = 100
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")


def generate_keys() -> EncryptionKeys:
    """A key that nobody else has."""
    return EncryptionKeys(active="generated", keys={"generated": secrets.token_bytes(KEY_BYTES)})


def encode_keys(keys: EncryptionKeys) -> str:
    """The content of a file with these keys."""
    lines = [f"{key_id} {base64.b64encode(key).decode()}\n" for key_id, key in keys.keys.items()]
    return "".join(lines)


def read_keys(settings: EncryptionSettings) -> EncryptionKeys | None:
    """The keys that the settings name, None where they name none; raises SettingsError.

    No error shows anything of a key.
    """
    if settings.keys is None:
        if settings.active is not None:
            raise SettingsError(
                "platform.encryption.active names a key, but platform.encryption.keys no file"
            )
        return None
    keys = _parse(_read_private(settings.keys), settings.keys)
    if settings.active not in keys:
        there = ", ".join(keys) or "none"
        raise SettingsError(
            f"platform.encryption.active: there is no key {settings.active!r} in"
            f" {settings.keys}; it has {there}"
        )
    return EncryptionKeys(active=settings.active, keys=keys)


def _read_private(name: str) -> str:
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except OSError as error:
        raise SettingsError(
            f"platform.encryption.keys: {name} cannot be read: {error.strerror}"
        ) from error
    if mode & 0o077:
        raise SettingsError(
            f"platform.encryption.keys: others may read {name} (mode {mode:04o});"
            f" run chmod 600 on it"
        )
    return content.decode("ascii", errors="replace")


def _parse(text: str, name: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        place = f"platform.encryption.keys: {name}, line {number}"
        if len(words) != 2 or not _KEY_ID.fullmatch(words[0]):
            raise SettingsError(
                f"{place}: write a key id of 1 to 40 letters, digits, dots, dashes or underscores,"
                " a space, and 32 bytes in base64"
            )
        if words[0] in keys:
            raise SettingsError(f"{place}: the key id {words[0]} is there twice")
        keys[words[0]] = _decode(words[1], place)
    if len(keys) > KEYS_MAX:
        raise SettingsError(f"platform.encryption.keys: {name} has more than {KEYS_MAX} keys")
    return keys


def _decode(text: str, place: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{place}: the key is not 32 bytes in base64; make one with: openssl rand -base64 32"
        )
    return key
