"""Keys from a file: what is refused says where, and never what the key is."""

import base64
from pathlib import Path

import pytest

from fleetplatform.encryption.keys import encode_keys, generate_keys, read_keys
from fleetplatform.errors import SettingsError
from fleetplatform.settings import EncryptionKeys, EncryptionSettings

KEY = base64.b64encode(bytes(range(32))).decode()


def _file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "keys"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def _read(path: str | None, active: str | None) -> EncryptionKeys | None:
    return read_keys(EncryptionSettings(keys=path, active=active))


def test_a_file_of_keys(tmp_path: Path) -> None:
    path = _file(tmp_path, f"# ours\n\nold {KEY}  # of 2025\nnew-1 {KEY}\n")
    keys = _read(path, "new-1")
    assert keys is not None
    assert (keys.active, keys.ids) == ("new-1", ["old", "new-1"])
    assert keys.active_key == bytes(range(32))


def test_no_file_is_no_keys() -> None:
    assert _read(None, None) is None


def test_generated_keys_are_read_back(tmp_path: Path) -> None:
    keys = generate_keys()
    assert _read(_file(tmp_path, encode_keys(keys)), keys.active) == keys
    assert generate_keys() != keys


@pytest.mark.parametrize(
    ("text", "active", "says"),
    [
        (f"a {KEY}\na {KEY}\n", "a", "line 2: the key id a is there twice"),
        (f"a {KEY[:-8]}\n", "a", "line 1: the key is not 32 bytes in base64"),
        (f"a {KEY}!\n", "a", "line 1: the key is not 32 bytes"),
        (f"{KEY}\n", "a", "line 1: write a key id of 1 to 40 letters"),
        (f"a b {KEY}\n", "a", "line 1: write a key id of 1 to 40 letters"),
        (f"a {KEY}\n", "b", "there is no key 'b' in .*; it has a"),
        (f"a {KEY}\n", None, "there is no key None"),
        ("", "a", "it has none"),
    ],
)
def test_a_wrong_file_is_a_sentence_without_the_key(
    tmp_path: Path, text: str, active: str | None, says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        _read(_file(tmp_path, text), active)
    assert KEY[:-8] not in str(caught.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"others may read .*mode 0640.*chmod 600"):
        _read(_file(tmp_path, f"a {KEY}\n", 0o640), "a")


def test_a_file_that_is_not_there_and_an_active_key_without_one() -> None:
    with pytest.raises(SettingsError, match=r"platform\.encryption\.keys: .* cannot be read"):
        _read("nowhere/keys", "a")
    with pytest.raises(SettingsError, match=r"names a key, but .* no file"):
        _read(None, "a")


def test_nothing_shows_a_key() -> None:
    keys = generate_keys()
    assert keys.active_key.hex() not in repr(keys)
    assert repr(keys.active_key) not in repr(keys)
