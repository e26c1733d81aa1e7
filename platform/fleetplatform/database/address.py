"""URLs of a database, and one sentence for each way in which it cannot be reached."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from fleetplatform.errors import DatabaseError

PORT = 5432
_LOGIN = ("user", "password", "dbname", "database")


def with_login(url: str, user: str, password: str, database: str) -> str:
    """The URL of the same server for another login and database."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    options = [(key, value) for key, value in parse_qsl(parts.query) if key not in _LOGIN]
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@{hosts}"
    return urlunsplit((parts.scheme, login, f"/{quote(database)}", urlencode(options), ""))


def with_database(url: str, database: str) -> str:
    """The URL of another database of the same server, with the same login."""
    parts = urlsplit(url)
    options = [(key, value) for key, value in parse_qsl(parts.query) if key not in _LOGIN[2:]]
    return urlunsplit(parts._replace(path=f"/{quote(database)}", query=urlencode(options)))


def with_option(url: str, key: str, value: str) -> str:
    """The URL with one connection option set."""
    parts = urlsplit(url)
    options = {**dict(parse_qsl(parts.query)), key: value}
    return urlunsplit(parts._replace(query=urlencode(options)))


def server_of(url: str) -> str:
    """`host:port` of a URL, for people and for file names; nothing secret is in it."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    host = hosts or dict(parse_qsl(parts.query)).get("host", "localhost")
    bare = host.rpartition("]")[2] if "[" in host else host
    return host if ":" in bare else f"{host}:{PORT}"


def database_of(url: str) -> str:
    """The name of the database in a URL."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    named = unquote(parts.path.lstrip("/")) or options.get("dbname") or options.get("database")
    return named or unquote(parts.username or "") or options.get("user") or "postgres"


@asynccontextmanager
async def reach(url: str) -> AsyncIterator[None]:
    """Around a connect: what goes wrong becomes a DatabaseError that says what to do."""
    try:
        yield
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseError(
            f"PostgreSQL at {server_of(url)} refused the login: {say(error)};"
            " check user and password in platform.database.url"
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseError(
            f"PostgreSQL at {server_of(url)}: {say(error)}; create it, or name the database"
            " postgres and Fleetstorm makes one of its own"
        ) from error
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        raise DatabaseError(
            f"PostgreSQL at {server_of(url)} does not answer ({say(error)}): check that it"
            " runs, and host and port in platform.database.url"
        ) from error
    except (asyncpg.InterfaceError, ValueError) as error:
        raise DatabaseError(f"platform.database.url cannot be used: {say(error)}") from error
    except asyncpg.PostgresError as error:
        raise DatabaseError(f"PostgreSQL at {server_of(url)}: {say(error)}") from error


def say(error: Exception) -> str:
    """The one line of an error; PostgreSQL's detail and hint, which follow it, are left out."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).partition("\n")[0]
