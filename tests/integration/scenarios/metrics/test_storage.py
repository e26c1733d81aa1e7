"""What storing costs, measured on a real database: its past, the standard queries, a roll."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from fleetplatform.admin import (
    DatabaseError,
    History,
    PreparedDatabase,
    create_database,
    drop_database,
    prepare_database,
    write_history,
)
from fleetplatform.settings import PlatformSettings
from fleetstorm.errors import InfrastructureError
from fleetstorm.metrics.postgres import Database
from fleetstorm.metrics.recorder import _growth
from fleetstorm.metrics.storage import roll as rolling
from fleetstorm.metrics.storage.roll import Roll
from fleetstorm.metrics.storage.settings import QuerySettings
from fleetstorm.metrics.storage.standard import NAMES, ask_standard
from fleetstorm.stack.postgres import PostgresServer

START = datetime(2026, 6, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
DEVICES, TYPES, DAYS = 3, (1, 2), 40
ROWS = DEVICES * len(TYPES) * DAYS * 24
MakeSettings = Callable[..., PlatformSettings]


async def _filled(
    url: str, settings: PlatformSettings, organizations: int = 1
) -> tuple[PreparedDatabase, list[UUID]]:
    """A database with a past of 40 days, a reading an hour, for each of some organizations."""
    prepared = await prepare_database(url, settings)
    conn = await asyncpg.connect(prepared.owner_url)
    made = [
        await conn.fetchval(
            "insert into iot.organizations (name) values ($1) returning organization_id", f"o{n}"
        )
        for n in range(organizations)
    ]
    await conn.close()
    for organization in made:
        since = START - timedelta(days=DAYS)
        past = History(organization, DEVICES, TYPES, since, START, timedelta(hours=1))
        await write_history(prepared.owner_url, past)
    return prepared, made


async def _fetch(url: str, query: str) -> list[dict[str, object]]:
    conn = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await conn.fetch(query)]
    finally:
        await conn.close()


async def test_a_past_is_there_in_full_and_the_standard_queries_see_their_own(
    database_url: str, make_settings: MakeSettings
) -> None:
    """Each query is asked as often as was wanted, of one organization of two."""
    prepared, (one, _) = await _filled(database_url, make_settings(), organizations=2)
    (found,) = await _fetch(
        prepared.owner_url,
        "select count(*) as n, count(distinct sensor_id) as sensors,"
        " count(distinct device_id) as devices, min(measurement_timestamp) as first,"
        f" max(measurement_timestamp) as last from iot.sensor_data where organization_id = '{one}'",
    )
    assert found == {
        "n": ROWS, "sensors": 6, "devices": 3,
        "first": START - timedelta(days=DAYS), "last": START - timedelta(hours=1),
    }  # fmt: skip
    strays = await _fetch(prepared.owner_url, "select * from iot.stray_readings()")
    assert strays == []
    wanted = QuerySettings(calls=4, warm=1)
    asked = await ask_standard(
        prepared.owner_url, prepared.urls["iot_api"], one, START_US, wanted
    )
    assert (asked.rows, asked.calls) == (2 * ROWS, 4)
    assert asked.latency_ms is not None
    assert set(asked.latency_ms) == set(NAMES)
    assert all(0 < times.p50 <= times.p99 for times in asked.latency_ms.values())


@pytest.mark.parametrize(
    ("layout", "made", "dropped"),
    [("monthly_list", 3, 24 * 9 * 6), ("daily", 1, 24 * 6)],
)
async def test_a_roll_makes_the_next_span_and_drops_the_oldest(
    database_url: str, make_settings: MakeSettings, layout: str, made: int, dropped: int
) -> None:
    """What was dropped does not count as shrinking of what is still there."""
    prepared, _ = await _filled(database_url, make_settings(layout=layout))
    database = Database(prepared.owner_url, 5.0)
    before = await database.observe(sizes=True)
    roll = Roll(at_s=0.0)
    await roll.perform(prepared.urls, prepared.owner_url, START_US)
    after = await database.observe(sizes=True)
    await database.close()
    cost = roll.measured()
    assert cost is not None
    assert (cost.made, cost.dropped_rows) == (made, dropped)
    assert min(cost.make_ms or 0, cost.drop_ms or 0) > 0
    (left,) = await _fetch(prepared.owner_url, "select count(*) as n from iot.sensor_data")
    assert left["n"] == ROWS - dropped
    assert _growth(before, after)["heap"] >= 0
    assert (before.heap_bytes or 0) > (after.heap_bytes or 0) - _growth(before, after)["heap"]


async def test_what_there_is_nothing_of_is_null_or_an_error(
    database_url: str, make_settings: MakeSettings
) -> None:
    """A table without partitions has no roll; without sensors there is nothing to ask about."""
    prepared, (one,) = await _filled(database_url, make_settings(layout="single"))
    roll = Roll(at_s=0.0)
    await roll.perform(prepared.urls, prepared.owner_url, START_US)
    assert roll.measured() is None
    late_us = START_US + 10 * 86_400_000_000
    wanted = QuerySettings(calls=1, warm=0)
    with pytest.raises(InfrastructureError, match="no sensor measured anything"):
        await ask_standard(prepared.owner_url, prepared.urls["iot_api"], one, late_us, wanted)


async def test_who_waits_for_the_roll_is_seen_and_a_lock_is_waited_for(
    database_url: str, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader keeps the table; the roll queues behind it, and ingest behind the roll."""
    prepared, _ = await _filled(database_url, make_settings(layout="monthly"))
    reader = await asyncpg.connect(prepared.owner_url)
    ingest = await asyncpg.connect(prepared.urls["iot_ingest"])
    watcher = await asyncpg.connect(prepared.owner_url)
    reading = reader.transaction()
    await reading.start()
    await reader.fetchval("select count(*) from iot.sensor_data")
    roll = Roll(at_s=0.0)
    performing = asyncio.create_task(
        roll.perform(prepared.urls, prepared.owner_url, START_US)
    )
    query = "select true from pg_locks where not granted and mode = 'AccessExclusiveLock'"
    while not await watcher.fetchval(query):
        await asyncio.sleep(0)
    async with ingest.transaction():
        await ingest.execute("lock table iot.sensor_data in row exclusive mode")
    await reading.rollback()
    await performing
    cost = roll.measured()
    assert cost is not None
    assert (cost.ingest_blocked_ms or 0) > 0
    assert (cost.make_ms or 0) + (cost.drop_ms or 0) > (cost.ingest_blocked_ms or 0)
    monkeypatch.setattr(rolling, "_ATTEMPTS_MAX", 1)
    async with reader.transaction():
        await reader.fetchval("select count(*) from iot.sensor_data")
        with pytest.raises(InfrastructureError, match="stays locked"):
            await rolling._drop(watcher, "iot.sensor_data_2026_05")
    for conn in (reader, ingest, watcher):
        await conn.close()


async def test_a_database_is_made_beside_others_and_dropped(
    database_url: str, postgres: PostgresServer
) -> None:
    name = f"fleetstorm_{uuid.uuid4().hex[:12]}"
    url = await create_database(database_url, name)
    assert await _fetch(url, "select current_database() as name") == [{"name": name}]
    with pytest.raises(DatabaseError, match="already exists"):
        await create_database(database_url, name)
    await drop_database(database_url, name)
    await drop_database(database_url, name)
    found = await _fetch(postgres.url(), f"select 1 from pg_database where datname = '{name}'")
    assert found == []
