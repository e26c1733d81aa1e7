"""The driver's door to the database: everything a run needs there, made or found, and looked at."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import asyncpg

from fleetplatform.database import clock
from fleetplatform.database.address import (
    database_of,
    reach,
    say,
    server_of,
    with_database,
    with_login,
    with_option,
)
from fleetplatform.database.migrate import applied_migrations, migrate, migration_names
from fleetplatform.database.queries import load
from fleetplatform.database.roles import LOGINS, MIGRATOR, OWNER, SERVICES, ensure_roles
from fleetplatform.encryption import keys
from fleetplatform.encryption.keys import encode_keys, generate_keys, read_keys
from fleetplatform.errors import ArchiveError, DatabaseError, LayoutError, SettingsError
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries import history, inventory, rollups
from fleetplatform.timeseries.history import History
from fleetplatform.timeseries.inventory import PartitionInfo
from fleetplatform.timeseries.layouts import extension_of, make_storage
from fleetplatform.timeseries.retention import restore
from fleetplatform.timeseries.retention.restore import Restored

__all__ = [
    "ArchiveError", "DatabaseError", "DatabaseState", "History", "PartitionInfo",
    "PreparedDatabase", "Restored", "SettingsError", "create_database", "drop_database",
    "encode_keys", "generate_keys", "own_database", "prepare_database", "read_keys", "read_state",
    "restore_readings", "write_history",
]  # fmt: skip

OLDEST_VERSION = 18
MAINTENANCE_DATABASE = "postgres"
DATABASE = "fleetstorm"
CONNECT_TIMEOUT_S = 10.0

_queries: Any = load(clock.__file__)
_encryption_queries: Any = load(keys.__file__)


@dataclass(frozen=True)
class PreparedDatabase:
    """A database as the platform needs it.

    urls: database role (iot_ingest, iot_worker, iot_api) → its URL · owner_url: sees every row of
    every tenant · indexes: those of sensor_data beside the unique key · postgres: the server's
    version, such as "18.1".
    """

    urls: dict[str, str]
    owner_url: str
    indexes: tuple[str, ...]
    postgres: str
    fsync: bool
    full_page_writes: bool
    synchronous_commit: str


async def prepare_database(url: str, settings: PlatformSettings) -> PreparedDatabase:
    """Make roles, database, schema, storage and clock, or find them made; safe to call twice.

    `url` is an administrator's. The database named there is used; where that is `postgres`, one
    of our own beside it. Raises DatabaseError (LayoutError, MigrationError) with one sentence,
    and SettingsError for a layout, an index or a kind of rollups that does not exist.
    """
    async with _connected(url) as conn:
        server = await _queries.server(conn)
        _check_version(server, url)
        extension = extension_of(settings.layout)
        if extension and not await _queries.has_extension(conn, name=extension):
            raise LayoutError(
                f"the layout {settings.layout.kind} needs the extension {extension}, which"
                f" PostgreSQL at {server_of(url)} does not have: install it there, or choose"
                " another layout, such as layout=monthly_list"
            )
        with _told(server["login"], url):
            await _queries.lock(conn, key=DATABASE)
            passwords = await ensure_roles(conn, url)
            database = await _ensure_database(conn, url, server)
    if extension:
        async with _connected(with_database(url, database)) as conn:
            with _told(server["login"], url):
                await conn.execute(f"create extension if not exists {extension}")
    logins = {name: with_login(url, name, passwords[name], database) for name in LOGINS}
    async with _connected(logins[MIGRATOR]) as conn:
        with _told(MIGRATOR, url):
            await _queries.lock(conn, key=DATABASE)
            await migrate(conn, _with_sslmode(logins[MIGRATOR], server["ssl"]))
            indexes = await make_storage(conn, settings.layout)
            await clock.create(conn, settings.clock.controllable)
            await rollups.choose(conn, settings.rollups.kind)
            await _ensure_encryption(conn, url, needed=settings.encryption.keys is not None)
    return PreparedDatabase(
        urls={name: logins[name] for name in SERVICES},
        owner_url=with_database(url, database) if server["is_superuser"] else logins[MIGRATOR],
        indexes=indexes,
        postgres=server["version"].split()[0],
        fsync=server["fsync"],
        full_page_writes=server["full_page_writes"],
        synchronous_commit=server["synchronous_commit"],
    )


@dataclass(frozen=True)
class DatabaseState:
    """What a prepared database is and holds.

    pending: migrations that this version has and the database does not · layout, indexes: how
    sensor_data is stored · partitions: what it is made of.
    """

    postgres: str
    fsync: bool
    database: str
    applied: int
    pending: tuple[str, ...]
    layout: str
    indexes: tuple[str, ...]
    partitions: tuple[PartitionInfo, ...]


async def read_state(url: str) -> DatabaseState:
    """Look at a prepared database without changing it; raises DatabaseError."""
    url = own_database(url)
    async with _connected(url) as conn:
        with _asked(url):
            server = await _queries.server(conn)
            applied = await applied_migrations(conn)
            layout = await inventory.layout(conn)
            parts = await inventory.partitions(conn)
    return DatabaseState(
        postgres=server["version"].split()[0],
        fsync=server["fsync"],
        database=database_of(url),
        applied=len(applied),
        pending=tuple(name for name in migration_names() if name.partition("_")[0] not in applied),
        layout=layout["kind"],
        indexes=tuple(layout["indexes"]),
        partitions=tuple(parts),
    )


async def create_database(url: str, name: str) -> str:
    """An empty database beside others on the server of an administrator's `url`; gives its URL.

    `prepare_database` makes it the platform's. Raises DatabaseError.
    """
    async with _connected(url) as conn:
        with _told((await _queries.server(conn))["login"], url):
            await conn.execute(f"create database {name} template template0 encoding 'UTF8'")
            await conn.execute(f"revoke all on database {name} from public")
    return with_database(url, name)


async def drop_database(url: str, name: str) -> None:
    """Drop a database with all that is in it, whoever is connected; raises DatabaseError."""
    async with _connected(url) as conn:
        with _told((await _queries.server(conn))["login"], url):
            await conn.execute(f"drop database if exists {name} with (force)")


async def write_history(url: str, past: History) -> None:
    """Fill the table with readings that nobody sent, by its owner; raises DatabaseError.

    What comes after is measured on a table whose pages are clean and on disk.
    """
    async with _connected(url) as conn:
        server = await _queries.server(conn)
        with _told(server["login"], url):
            await history.write(conn, past)
            if server["is_superuser"]:
                await conn.execute("checkpoint")


async def restore_readings(
    url: str,
    folder: Path,
    organization: UUID,
    span: tuple[datetime, datetime],
    kept: timedelta,
) -> Restored:
    """Bring archived readings of an organization back; raises DatabaseError, ArchiveError."""
    url = own_database(url)
    async with _connected(url) as conn:
        with _asked(url):
            return await restore.restore(conn, folder, organization, span, kept)


def own_database(url: str) -> str:
    """The URL of the platform's database where `url` names a server; a named database stays."""
    named = database_of(url)
    return with_database(url, DATABASE) if named == MAINTENANCE_DATABASE else url


@contextmanager
def _asked(url: str) -> Iterator[None]:
    """Around a look: a database that was never prepared is one sentence."""
    try:
        yield
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise DatabaseError(
            f"the database {database_of(url)} at {server_of(url)} was not prepared by fleetstorm:"
            " `fleetstorm db migrate URL` prepares it"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseError(
            f"the user of {server_of(url)} may not look into the database ({say(error)}): give an"
            " administrator's URL"
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseError(f"PostgreSQL at {server_of(url)}: {say(error)}") from error


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    async with reach(url):
        conn = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    try:
        yield conn
    finally:
        await conn.close()


def _check_version(server: Mapping[str, Any], url: str) -> None:
    if server["version_number"] < OLDEST_VERSION * 10_000:
        raise DatabaseError(
            f"PostgreSQL at {server_of(url)} is version {server['version']};"
            f" Fleetstorm needs {OLDEST_VERSION} or newer"
        )


@contextmanager
def _told(login: str, url: str) -> Iterator[None]:
    """Around what is done on a connection: what PostgreSQL refuses becomes one sentence."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseError(
            f"the user {login} of PostgreSQL at {server_of(url)} may not prepare the database"
            f" ({say(error)}): give a superuser in platform.database.url, or a user with"
            " CREATEROLE, CREATEDB and BYPASSRLS"
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise DatabaseError(
            f"PostgreSQL at {server_of(url)} failed while the database was prepared: {say(error)}"
        ) from error


async def _ensure_database(conn: asyncpg.Connection, url: str, server: Mapping[str, Any]) -> str:
    """The name of the platform's database, there and open to its roles alone."""
    if not server["is_superuser"]:
        await conn.execute(f"grant {OWNER} to current_user with inherit false, set true")
    logins = ", ".join(LOGINS)
    name = database_of(url)
    if name != MAINTENANCE_DATABASE:
        quoted = await _queries.role_statement(conn, template="%I", name=name, verifier=None)
        await conn.execute(f"grant create on database {quoted} to {OWNER}")
        await conn.execute(f"grant connect on database {quoted} to {logins}")
        return name
    if not await _queries.has_database(conn, name=DATABASE):
        await conn.execute(
            f"create database {DATABASE} owner {OWNER} template template0 encoding 'UTF8'"
        )
        await conn.execute(f"revoke all on database {DATABASE} from public")
        await conn.execute(f"grant connect on database {DATABASE} to current_user, {logins}")
    return DATABASE


async def _ensure_encryption(conn: asyncpg.Connection, url: str, *, needed: bool) -> None:
    """Have pgcrypto; a server without it will do as long as there are no keys."""
    why_not = await _encryption_queries.ensure_pgcrypto(conn)
    if needed and why_not is not None:
        raise DatabaseError(
            f"platform.encryption.keys needs the extension pgcrypto, which PostgreSQL at"
            f" {server_of(url)} does not give ({why_not}): install postgresql-contrib there, or set"
            " platform.encryption.keys=null, and readings of sensitive sensors are rejected"
        )


def _with_sslmode(url: str, ssl: bool) -> str:
    """The URL for a client that, told nothing, insists on TLS."""
    if dict(parse_qsl(urlsplit(url).query)).get("sslmode") in ("disable", "require", "verify-ca",
                                                                "verify-full"):
        return url
    return with_option(url, "sslmode", "require" if ssl else "disable")
