"""The embedded PostgreSQL: real durability, found again, killed and back, nobody else's."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from fleetstorm.errors import InfrastructureError
from fleetstorm.stack.account import cache_folder, may_enter, server_account
from fleetstorm.stack.binaries import unpack_binaries
from fleetstorm.stack.postgres import PostgresServer, start_postgres
from fleetstorm.stack.supervisor import Supervisor


@pytest.fixture
async def server(supervisor: Supervisor, folder: Path) -> PostgresServer:
    return await start_postgres(supervisor, folder)


async def _ask(server: PostgresServer, query: str) -> object:
    conn = await asyncpg.connect(server.url())
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
        ("max_locks_per_transaction", "1024"),
        ("timezone", "UTC"),
    ],
)
async def test_it_is_as_durable_as_a_real_one(
    postgres: PostgresServer, setting: str, value: str
) -> None:
    assert value == await _ask(postgres, f"show {setting}")


async def test_it_has_the_extensions_that_the_platform_uses(postgres: PostgresServer) -> None:
    found = await _ask(
        postgres, "select count(*) from pg_available_extensions where name = 'pgcrypto'"
    )
    assert found == 1


async def test_it_lets_nobody_in_without_the_password(postgres: PostgresServer) -> None:
    wrong = postgres.url().replace(postgres.data.password, "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


async def test_it_listens_on_the_machine_itself_and_nowhere_else(postgres: PostgresServer) -> None:
    assert await _ask(postgres, "show listen_addresses") == "127.0.0.1"
    assert await _ask(postgres, "show unix_socket_directories") == ""


async def test_as_root_it_runs_as_somebody_else(server: PostgresServer) -> None:
    owner = psutil.Process(server.part.pid).uids().real
    assert owner != 0
    if os.geteuid() != 0:
        assert owner == os.geteuid()


async def test_killed_it_comes_back_on_the_same_port_with_what_was_committed(
    server: PostgresServer,
) -> None:
    conn = await asyncpg.connect(server.url())
    await conn.execute("create table kept as select 7 as seven")
    port = server.port
    await server.part.kill()
    await server.part.wait_ready(30)
    assert server.port == port
    assert await _ask(server, "select seven from kept") == 7


async def test_a_later_start_in_the_same_folder_serves_the_same_data(
    supervisor: Supervisor, folder: Path
) -> None:
    first = await start_postgres(supervisor, folder)
    await _ask(first, "create table kept as select 7 as seven")
    await first.stop()
    second = await start_postgres(supervisor, folder)
    assert await _ask(second, "select seven from kept") == 7


async def test_two_run_side_by_side(folder: Path) -> None:
    async with Supervisor() as one, Supervisor() as two:
        servers = await asyncio.gather(
            start_postgres(one, folder / "one"), start_postgres(two, folder / "two")
        )
        assert servers[0].port != servers[1].port
        await _ask(servers[0], "create table here as select 1 as x")
        assert await _ask(servers[1], "select to_regclass('here')::text") is None


async def test_a_port_that_is_taken_is_one_sentence(
    supervisor: Supervisor, postgres: PostgresServer, folder: Path
) -> None:
    with pytest.raises(InfrastructureError, match=f"port {postgres.port} on .* is taken"):
        await start_postgres(supervisor, folder, port=postgres.port)


async def test_data_of_another_version_are_refused(supervisor: Supervisor, folder: Path) -> None:
    server = await start_postgres(supervisor, folder)
    await server.stop()
    (server.data_dir / "PG_VERSION").write_text("15\n")
    with pytest.raises(InfrastructureError, match="belongs to PostgreSQL 15, not 18"):
        await start_postgres(supervisor, folder)


@pytest.fixture
def cache() -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="fleetstorm cache ", dir="/var/tmp"))
    base.chmod(0o755)
    yield base
    shutil.rmtree(base)


def test_programs_unpacked_at_the_same_moment_do_not_collide(cache: Path) -> None:
    async def both() -> list[object]:
        return await asyncio.gather(
            *(asyncio.to_thread(unpack_binaries, cache) for _ in range(2)), return_exceptions=True
        )

    first, second = asyncio.run(both())
    assert first == second
    assert [path.name for path in cache.iterdir() if path.name.startswith(".")] == []


def test_the_folder_of_the_programs_is_one_that_the_servers_user_may_enter() -> None:
    account = server_account()
    assert may_enter(cache_folder(account), account)
