"""What a run needs of a machine, looked at one by one."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from fleetstorm.errors import FleetstormError
from fleetstorm.stack.cluster import start_cluster, stop_cluster
from fleetstorm.stack.stack import Stack

_PYTHON = (3, 11)
_MEMORY_BYTES = 2 * 2**30
_DISK_BYTES = 2 * 2**30
_FSYNCS = 20


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what it is, whether a run can live with it, and what was seen."""

    name: str
    ok: bool
    detail: str


def findings() -> Iterator[Finding]:
    """Every finding, as soon as it is made; takes some seconds in all."""
    checks: list[tuple[str, Callable[[], tuple[bool, str]]]] = [
        ("Python", _python),
        ("processors", _processors),
        ("memory", _memory),
        ("results folder", _results),
        ("disk", _disk),
        ("PostgreSQL", lambda: asyncio.run(_postgres())),
        ("Ray", _ray),
    ]
    for name, check in checks:
        try:
            ok, detail = check()
        except (FleetstormError, OSError) as error:
            ok, detail = False, str(error)
        yield Finding(name, ok, detail)


def _python() -> tuple[bool, str]:
    needed = ".".join(map(str, _PYTHON))
    return sys.version_info >= _PYTHON, f"{platform.python_version()} (needs {needed} or newer)"


def _processors() -> tuple[bool, str]:
    return True, f"{os.cpu_count() or 1}, shared by the fleet, the platform and the database"


def _memory() -> tuple[bool, str]:
    free = psutil.virtual_memory().available
    return free >= _MEMORY_BYTES, f"{free / 2**30:.1f} GiB available (needs 2)"


def _results() -> tuple[bool, str]:
    folder = Path("results")
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    writable = os.access(existing, os.W_OK)
    said = "can be written" if writable else "cannot be written: run elsewhere, or give out=DIR"
    return writable, f"{folder.resolve()} {said}"


def _disk() -> tuple[bool, str]:
    with tempfile.TemporaryDirectory(dir=_temporary()) as folder:
        free = shutil.disk_usage(folder).free
        took_ms = _fsync_ms(Path(folder) / "probe")
    said = f"{free / 2**30:.1f} GiB free for the database (needs 2), fsync {took_ms:.1f} ms"
    return free >= _DISK_BYTES, said


def _fsync_ms(path: Path) -> float:
    """What a commit costs at least: the median of some fsyncs."""
    took = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            file.write(b"x" * 8192)
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return sorted(took)[_FSYNCS // 2]


def _temporary() -> str:
    return os.environ.get("TMPDIR") or "/var/tmp"  # noqa: S108 (where the stack puts its data)


async def _postgres() -> tuple[bool, str]:
    with tempfile.TemporaryDirectory(prefix="fleetstorm-doctor-") as logs:
        async with Stack(Path(logs)) as stack:
            began = time.monotonic()
            server = await stack.start_postgres()
            took_s = time.monotonic() - began
            account = server.data.account
            who = f" as {account.name}" if account else ""
            return True, f"starts{who} in {took_s:.1f} s, answers on port {server.port}"


def _ray() -> tuple[bool, str]:
    began = time.monotonic()
    start_cluster(None)
    took_s = time.monotonic() - began
    stop_cluster()
    return True, f"starts in {took_s:.1f} s"
