"""The commands that look at a database and bring it up to date."""

import asyncio
import json

import asyncpg
import pytest

from fleetplatform.admin import own_database

from .conftest import Fleetstorm


def test_migrate_status_partitions_and_psql(fleetstorm: Fleetstorm, database_url: str) -> None:
    migrated = fleetstorm("db", "migrate", database_url, "layout=daily")
    assert migrated.code == 0, migrated
    assert "daily" in migrated.out
    assert "0 pending" in migrated.out
    again = fleetstorm("db", "status", database_url)
    assert (again.code, again.out) == (0, migrated.out)
    made = "select iot.ensure_partition('2026-05-05', null)"
    asked = fleetstorm("db", "psql", database_url, "--", "-At", "-c", made)
    assert (asked.code, asked.out.strip()) == (0, "t"), asked
    listed = fleetstorm("db", "partitions", database_url)
    assert listed.code == 0
    assert "sensor_data_2026_05_05" in listed.out
    assert "sensor_data_default" in listed.out
    assert "2 in all" in listed.out
    told = fleetstorm("db", "partitions", database_url, "--json", "--sort", "age")
    names = [(part["name"], part["rows"], part["age_s"] is None) for part in json.loads(told.out)]
    assert names == [("sensor_data_2026_05_05", 0, False), ("sensor_data_default", 0, True)]


def test_a_database_that_was_never_prepared_is_one_sentence(
    fleetstorm: Fleetstorm, database_url: str
) -> None:
    ended = fleetstorm("db", "partitions", database_url)
    assert (ended.code, ended.out) == (5, "")
    assert "was not prepared by fleetstorm: `fleetstorm db migrate URL`" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("url", ["postgresql://u:secret@127.0.0.1:1/x", "x"])
def test_an_address_where_there_is_none_is_one_sentence(fleetstorm: Fleetstorm, url: str) -> None:
    ended = fleetstorm("db", "status", url)
    assert ended.code == 5
    assert ended.err.count("\n") == 1
    assert "secret" not in ended.err


@pytest.mark.campaign
def test_pending_migrations_are_named(
    fleetstorm: Fleetstorm, database_url: str
) -> None:
    fleetstorm("db", "migrate", database_url)

    async def forget() -> str:
        conn = await asyncpg.connect(database_url)
        last: str = await conn.fetchval(
            "delete from iot_private.schema_migrations where version = ("
            "select max(version) from iot_private.schema_migrations) returning version"
        )
        await conn.close()
        return last

    last = asyncio.run(forget())
    ended = fleetstorm("db", "status", database_url)
    assert ended.code == 1
    assert f"Pending: {last}_" in ended.out


def test_the_database_postgres_stands_for_fleetstorms_own() -> None:
    assert own_database("postgresql://u@h:5/postgres") == "postgresql://u@h:5/fleetstorm"
    assert own_database("postgresql://u@h:5/mine") == "postgresql://u@h:5/mine"
