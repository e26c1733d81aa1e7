"""What all tests share: one PostgreSQL and one Ray a session, and a fresh database for each test."""

import os

# Before anything imports Ray: it would copy the working folder and start workers through uv.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from fleetstorm.stack.cluster import start_cluster, stop_cluster
from fleetstorm.stack.postgres import PostgresServer, start_postgres
from fleetstorm.stack.supervisor import Supervisor

CI = os.environ.get("CI") == "true"


def need(found: object, what: str) -> None:
    """Skip the test on a machine without an external part; with CI=true that is a failure."""
    if found:
        return
    if CI:
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is not on this machine")


@pytest.fixture(scope="session")
def session_folder() -> Iterator[Path]:
    """A folder that any user may enter, gone after the session."""
    folder = Path(tempfile.mkdtemp(prefix="fleetstorm-tests-", dir="/var/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def private_state(session_folder: Path) -> Iterator[None]:
    """Generated passwords go to a folder of the session, not to the user's own."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(session_folder / "state")
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture(scope="session")
async def postgres(session_folder: Path) -> AsyncIterator[PostgresServer]:
    """The session's embedded server; `.url(database)` is the superuser's."""
    folder = session_folder / "postgres"
    folder.mkdir(mode=0o711)
    async with Supervisor() as supervisor:
        yield await start_postgres(supervisor, folder)


@pytest.fixture
async def database_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The superuser's URL of a fresh, empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await _execute(postgres, f'create database "{name}" template template0')
    yield postgres.url(name)
    await _execute(postgres, f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """The session's Ray."""
    start_cluster(None, num_cpus=2)
    yield
    stop_cluster()


async def _execute(postgres: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(postgres.url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
