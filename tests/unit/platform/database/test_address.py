"""URLs of the database: other logins, other databases, nothing secret in a message."""

import asyncpg
import pytest

from fleetplatform.database.address import (
    database_of,
    reach,
    say,
    server_of,
    with_database,
    with_login,
    with_option,
)
from fleetplatform.errors import DatabaseError

URL = "postgresql://admin:se%40cret@db.example:6432/main?sslmode=require"


def test_a_login_is_replaced_and_quoted() -> None:
    expected = "postgresql://iot_api:p%2F%40s@db.example:6432/own?sslmode=require"
    assert with_login(URL, "iot_api", "p/@s", "own") == expected


def test_a_login_in_the_options_is_replaced_too() -> None:
    url = "postgresql:///main?host=/run/postgresql&user=admin&password=secret&dbname=x"
    assert with_login(url, "u", "p", "own") == "postgresql://u:p@/own?host=%2Frun%2Fpostgresql"


def test_another_database_keeps_the_login() -> None:
    expected = "postgresql://admin:se%40cret@db.example:6432/own?sslmode=require"
    assert with_database(URL, "own") == expected


def test_an_option_is_set_once() -> None:
    assert with_option(URL, "sslmode", "disable").count("sslmode=disable") == 1


@pytest.mark.parametrize(
    ("url", "server", "database"),
    [
        (URL, "db.example:6432", "main"),
        ("postgresql://admin@db.example", "db.example:5432", "admin"),
        ("postgresql://[::1]:5433/x", "[::1]:5433", "x"),
        ("postgresql://[::1]/x", "[::1]:5432", "x"),
        ("postgresql:///x?host=/run/pg", "/run/pg:5432", "x"),
        ("postgresql://db.example/?dbname=y", "db.example:5432", "y"),
    ],
)
def test_a_url_says_server_and_database(url: str, server: str, database: str) -> None:
    assert (server_of(url), database_of(url)) == (server, database)


@pytest.mark.parametrize(
    "error",
    [
        OSError(111, "Connection refused"),
        TimeoutError(),
        ValueError("invalid DSN"),
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InvalidCatalogNameError('database "main" does not exist'),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    ],
    ids=repr,
)
async def test_every_failure_to_connect_is_one_sentence(error: Exception) -> None:
    with pytest.raises(DatabaseError) as raised:
        async with reach(URL):
            raise error
    assert say(error) in str(raised.value)
    assert "cret" not in str(raised.value)
    assert "\n" not in str(raised.value)
