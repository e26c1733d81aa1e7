"""What the stack's tests share: a folder that any user may enter, processes that vanish."""

import asyncio
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from fleetstorm.stack.supervisor import Supervisor

Eventually = Callable[[Callable[[], bool], float], Awaitable[None]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a space in its name that PostgreSQL's user may enter too."""
    base = Path(tempfile.mkdtemp(prefix="fleetstorm-test-", dir="/var/tmp"))
    base.chmod(0o711)
    path = base / "with space"
    path.mkdir(mode=0o711)
    yield path
    shutil.rmtree(base)


@pytest.fixture
def events() -> list[tuple[str, str, str]]:
    """What happened to the supervisor's parts."""
    return []


@pytest.fixture
async def supervisor(events: list[tuple[str, str, str]]) -> AsyncIterator[Supervisor]:
    async with Supervisor(lambda *event: events.append(event)) as running:
        yield running


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds; fails when it does not within the deadline in seconds."""

    async def wait(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            await asyncio.sleep(0.02)

    return wait


@pytest.fixture
def listens() -> Callable[[int], bool]:
    """Whether somebody accepts connections on a port of 127.0.0.1."""

    def check(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return check


@pytest.fixture(scope="session")
def import_path() -> str:
    """PYTHONPATH with which another interpreter of this version imports what this one does."""
    return os.pathsep.join(path for path in sys.path if path)
