"""prepare_database: from an empty server to a working database, again and again."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.database.address import server_of, with_login
from fleetplatform.database.pool import open_pool
from fleetplatform.errors import DatabaseError
from fleetplatform.settings import PlatformSettings
from fleetstorm.stack.postgres import PostgresServer, start_postgres
from fleetstorm.stack.supervisor import Supervisor


@pytest.fixture
async def prepared(database_url: str, platform_settings: PlatformSettings) -> PreparedDatabase:
    """A database that was empty before; elsewhere it is a copy."""
    return await prepare_database(database_url, platform_settings)


async def _ask(url: str, query: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


async def _schema(url: str) -> object:
    return await _ask(
        url,
        "select string_agg(relname || relkind::text, ' ' order by relname, relkind) from pg_class"
        " where relnamespace::regnamespace::text like 'iot%'",
    )


async def test_it_says_what_the_server_is(prepared: PreparedDatabase) -> None:
    assert prepared.postgres.startswith("18.")
    assert (prepared.fsync, prepared.full_page_writes, prepared.synchronous_commit) == (
        True, True, "on",
    )
    for role, url in prepared.urls.items():
        assert await _ask(url, "select current_user") == role
    assert set(prepared.urls) == {"iot_ingest", "iot_worker", "iot_api"}
    assert await _ask(prepared.owner_url, "select count(*) from iot.organizations") == 0


async def test_a_second_time_changes_nothing_and_is_quick(
    database_url: str, prepared: PreparedDatabase, platform_settings: PlatformSettings
) -> None:
    before = await _schema(prepared.owner_url)
    began = time.perf_counter()
    again = await prepare_database(database_url, platform_settings)
    assert time.perf_counter() - began < 1.0
    assert again == prepared
    assert await _schema(prepared.owner_url) == before


async def test_callers_at_once_do_not_collide(
    database_url: str, platform_settings: PlatformSettings
) -> None:
    results = await asyncio.gather(
        *(prepare_database(database_url, platform_settings) for _ in range(4))
    )
    assert results == [results[0]] * 4


async def test_the_maintenance_database_is_left_alone(
    postgres: PostgresServer, platform_settings: PlatformSettings
) -> None:
    """Two at once on a fresh server make one database of our own beside it."""
    first, second = await asyncio.gather(
        prepare_database(postgres.url(), platform_settings),
        prepare_database(postgres.url(), platform_settings),
    )
    assert first == second
    assert urlsplit(first.owner_url).path == "/fleetstorm"
    assert await _schema(postgres.url()) is None
    may_public = "select has_database_privilege('public', 'fleetstorm', 'temp')"
    assert not await _ask(first.owner_url, may_public)


async def test_passwords_are_kept_for_nobody_else(
    prepared: PreparedDatabase, platform_settings: PlatformSettings
) -> None:
    folder = Path(os.environ["XDG_STATE_HOME"]) / "fleetstorm"
    server = server_of(prepared.owner_url).replace(":", "_")
    file = folder / f"database-{server}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_lost_passwords_are_replaced(
    database_url: str,
    prepared: PreparedDatabase,
    platform_settings: PlatformSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = os.environ["XDG_STATE_HOME"]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    again = await prepare_database(database_url, platform_settings)
    assert again.urls != prepared.urls
    assert await _ask(again.urls["iot_api"], "select current_user") == "iot_api"
    monkeypatch.setenv("XDG_STATE_HOME", kept)
    third = await prepare_database(database_url, platform_settings)
    assert await _ask(third.urls["iot_api"], "select current_user") == "iot_api"


async def test_a_role_that_may_more_is_set_right(
    postgres: PostgresServer, database_url: str, platform_settings: PlatformSettings
) -> None:
    prepared = await prepare_database(database_url, platform_settings)
    await _ask(database_url, "select 1")
    conn = await asyncpg.connect(database_url)
    await conn.execute("alter role iot_api bypassrls")
    with pytest.raises(DatabaseError, match="iot_api has not the attributes"):
        await open_pool(prepared.urls["iot_api"], platform_settings.database, "iot_api")
    await prepare_database(database_url, platform_settings)
    pool = await open_pool(prepared.urls["iot_api"], platform_settings.database, "iot_api")
    await pool.close()
    await conn.close()


async def test_a_process_refuses_to_be_another_role(
    prepared: PreparedDatabase, platform_settings: PlatformSettings
) -> None:
    with pytest.raises(DatabaseError, match="logged in as iot_worker, but this process must be"):
        await open_pool(prepared.urls["iot_worker"], platform_settings.database, "iot_api")


async def test_requests_of_people_are_bounded(
    prepared: PreparedDatabase, platform_settings: PlatformSettings
) -> None:
    pool = await open_pool(prepared.urls["iot_api"], platform_settings.database, "iot_api")
    assert await pool.fetchval("show statement_timeout") == "30s"
    assert await pool.fetchval("select '{\"a\": 1}'::jsonb") == {"a": 1}
    await pool.close()


async def test_the_functions_are_applied_again_when_they_changed(
    database_url: str, prepared: PreparedDatabase, platform_settings: PlatformSettings
) -> None:
    conn = await asyncpg.connect(database_url)
    await conn.execute("drop function iot.now()")
    await prepare_database(database_url, platform_settings)
    assert await conn.fetchval("select to_regproc('iot.now')") is None
    await conn.execute(
        "update iot_private.function_files set sha256 = sha256('') where path like 'database/%'"
    )
    await prepare_database(database_url, platform_settings)
    assert await conn.fetchval("select to_regproc('iot.now')") is not None
    await conn.close()


@pytest.fixture
async def lesser_admin(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of a user who may nothing, in the database `postgres`."""
    conn = await asyncpg.connect(postgres.url())
    await conn.execute("create role lesser login password 'secret'")
    yield with_login(postgres.url(), "lesser", "secret", "postgres")
    await conn.execute("drop role lesser")
    await conn.close()


async def test_an_administrator_who_may_not_is_told_what_is_missing(
    lesser_admin: str, platform_settings: PlatformSettings, prepared: PreparedDatabase,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(DatabaseError, match=r"the user lesser of PostgreSQL.*CREATEROLE") as raised:
        await prepare_database(lesser_admin, platform_settings)
    assert "\n" not in str(raised.value)


async def test_a_wrong_password_is_a_sentence(
    database_url: str, platform_settings: PlatformSettings
) -> None:
    url = with_login(database_url, "fleetstorm", "wrong", "postgres")
    with pytest.raises(DatabaseError, match=r"refused the login.*database\.url") as raised:
        await prepare_database(url, platform_settings)
    assert "wrong" not in str(raised.value)


async def test_a_missing_database_is_a_sentence(
    postgres: PostgresServer, platform_settings: PlatformSettings
) -> None:
    with pytest.raises(DatabaseError, match='database "nowhere" does not exist; create it'):
        await prepare_database(postgres.url("nowhere"), platform_settings)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:geheim@127.0.0.1:1/x", "at 127.0.0.1:1 does not answer.*check that it"),
        ("postgresql://u:geheim@no-such-host.invalid/x", "at no-such-host.invalid:5432 does not"),
        ("mysql://u:geheim@127.0.0.1/x", "platform.database.url cannot be used"),
        ("postgresql://u:geheim@127.0.0.1:port/x", "platform.database.url cannot be used"),
    ],
)
async def test_an_impossible_url_is_a_sentence(
    url: str, sentence: str, platform_settings: PlatformSettings
) -> None:
    with pytest.raises(DatabaseError, match=sentence) as raised:
        await prepare_database(url, platform_settings)
    assert "geheim" not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_an_administrator_need_not_be_superuser(
    session_folder: Path, platform_settings: PlatformSettings
) -> None:
    """CREATEROLE, CREATEDB and BYPASSRLS are enough, on a server that knows nothing of us."""
    folder = session_folder / "other server"
    folder.mkdir(mode=0o711)
    async with Supervisor() as supervisor:
        server = await start_postgres(supervisor, folder)
        conn = await asyncpg.connect(server.url())
        await conn.execute(
            "create role lesser login password 'secret' createrole createdb bypassrls"
        )
        await conn.close()
        url = with_login(server.url(), "lesser", "secret", "postgres")
        prepared = await prepare_database(url, platform_settings)
        assert await prepare_database(url, platform_settings) == prepared
        assert await _ask(prepared.owner_url, "select current_user") == "iot_owner"
