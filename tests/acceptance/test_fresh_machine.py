"""README's first command on a fresh clone in an empty home: as root, and as an ordinary user."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEM_PYTHONS = ("/usr/local/bin/python3", "/usr/bin/python3")
TIMEOUT_S = 600.0

pytestmark = pytest.mark.campaign


@pytest.fixture
def machine() -> Iterator[Path]:
    """A folder with a clone, a home that is empty, and uv; any user may enter it."""
    folder = Path(tempfile.mkdtemp(prefix="fleetstorm fresh ", dir="/var/tmp"))
    folder.chmod(0o755)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "main")], check=True)
    (folder / "home").mkdir()
    uv = shutil.which("uv")
    assert uv is not None
    shutil.copy(uv, folder / "uv")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _own(folder: Path, name: str) -> None:
    entry = pwd.getpwnam(name)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _smoke(machine: Path, python: str, user: str | None) -> dict[str, object]:
    """The summary of a run that must pass."""
    found = subprocess.run(
        [str(machine / "uv"), "run", "fleetstorm", "run", "scenario=smoke"],
        cwd=machine / "main",
        env={
            "HOME": str(machine / "home"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "UV_PYTHON": python,
            "UV_PYTHON_DOWNLOADS": "never",
            **{k: v for k, v in os.environ.items() if k.startswith(("UV_INDEX", "PIP_", "SSL_"))},
        },
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    (summary,) = (machine / "main" / "results").glob("*/smoke/*/summary.json")
    document: dict[str, object] = json.loads(summary.read_text())
    return document


def test_the_first_command_passes_for_whoever_runs_the_tests(machine: Path) -> None:
    python = os.path.realpath(shutil.which("python3") or "")
    assert _smoke(machine, python, None)["verdict"] == "pass"


def test_the_first_command_passes_for_an_ordinary_user(machine: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user; this run is an ordinary user's anyway")
    python = next((p for p in SYSTEM_PYTHONS if _is_new_enough(p)), None)
    if python is None:
        pytest.skip("this machine has no Python 3.11 that an ordinary user may run")
    _own(machine, "nobody")
    assert _smoke(machine, python, "nobody")["verdict"] == "pass"


def _is_new_enough(python: str) -> bool:
    if not os.access(python, os.X_OK) or os.path.realpath(python).startswith("/root"):
        return False
    asked = "import sys; print(sys.version_info >= (3, 11))"
    said = subprocess.run([python, "-c", asked], capture_output=True, text=True)
    return said.stdout.strip() == "True"
