"""Whoever locks what: no batch fails, nothing is lost, and every reading is seen at all times."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import numpy as np
import pytest

from fleetplatform import timeseries
from fleetplatform.admin import PreparedDatabase
from fleetplatform.batch import Rows
from fleetplatform.database.pool import Pool
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries.partitions import Partitions, make_ahead

MakeRows = Callable[..., Rows]
OpenPool = Callable[[str], Awaitable[Pool]]
MakeBench = Callable[..., Awaitable[Any]]
Eventually = Callable[..., Awaitable[None]]

DAY_US = 86_400_000_000
JUNE_US = 1_780_272_000_000_000
MONTHS_US = [JUNE_US + 31 * DAY_US * month for month in range(5)]
TYPES = (1, 2)

IN_DEFAULTS = """
select count(*) from iot.sensor_data as r join pg_class as c on c.oid = r.tableoid
where pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'
"""
WAITING = """
select count(*) from pg_locks as l
where not l.granted and l.relation = $1::text::regclass
  and l.mode in ('RowExclusiveLock', 'AccessShareLock')
"""


@pytest.fixture
async def second(prepared: PreparedDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Another connection that sees everything."""
    conn = await asyncpg.connect(prepared.owner_url)
    yield conn
    await conn.close()


@asynccontextmanager
async def _long_query(conn: asyncpg.Connection) -> AsyncIterator[None]:
    """A query of all readings that goes on and on."""
    async with conn.transaction():
        await conn.execute("declare all_of_it cursor for select * from iot.sensor_data")
        yield


async def _stray(owner: asyncpg.Connection, pool: Pool, rows: Rows) -> None:
    """Store readings while their partitions cannot be made."""
    async with owner.transaction():
        await owner.execute("lock table iot.sensor_data_default in access share mode")
        await Partitions().ensure(pool, rows.measured_us, rows.sensor_type)
        await timeseries.write(pool, rows)


async def _store(bench: Any, engine: Any, at_us: int) -> int:
    """A batch of a reading of each sensor; how many were stored."""
    sensor = np.arange(3, dtype=np.int32)
    t_us = at_us + np.arange(3)
    stored = await bench.store_columns(engine, sensor, t_us, sensor * 1.0, at_us)
    return int((~stored.duplicate).sum())


@pytest.mark.parametrize("kind", ["stream", "row"])
async def test_under_a_long_query_readings_stray_and_are_brought_home(
    make_engine_bench: MakeBench, platform_settings: PlatformSettings, kind: str
) -> None:
    bench = await make_engine_bench()
    engine = await bench.engine(kind, JUNE_US)
    owner = await asyncpg.connect(bench.owner_url)
    worker = await asyncpg.create_pool(bench.urls["iot_worker"], min_size=0)
    async with _long_query(owner):
        for at_us in MONTHS_US[:2]:
            assert await _store(bench, engine, at_us) == 3
        await make_ahead(worker, JUNE_US, platform_settings.layout)
        assert await owner.fetchval(IN_DEFAULTS) == 6
    await make_ahead(worker, JUNE_US, platform_settings.layout)
    assert await owner.fetchval(IN_DEFAULTS) == 0
    stored = await owner.fetchrow(
        "select count(*), count(distinct (sensor_id, measurement_timestamp)) from iot.sensor_data"
    )
    assert tuple(stored) == (6, 6)
    await worker.close()
    await owner.close()


async def test_after_one_lock_ingest_asks_for_no_partition_for_a_while(
    pool_as: OpenPool, owner: asyncpg.Connection, make_rows: MakeRows
) -> None:
    """Or every batch would wait for each of its partitions in turn."""
    pool, partitions, rows = await pool_as("iot_ingest"), Partitions(), make_rows(1)
    async with _long_query(owner):
        await partitions.ensure(pool, rows.measured_us, rows.sensor_type)
    await pool.close()
    for at_us in MONTHS_US:
        await partitions.ensure(pool, np.array([at_us]), rows.sensor_type)


@pytest.mark.parametrize("kind", ["stream", "row"])
async def test_batches_wait_out_a_lock_on_the_whole_table(
    make_engine_bench: MakeBench, eventually: Eventually, kind: str
) -> None:
    bench = await make_engine_bench()
    engine = await bench.engine(kind, JUNE_US)
    owner, watcher = [await asyncpg.connect(bench.owner_url) for _ in range(2)]
    async with owner.transaction():
        await owner.execute("lock table iot.sensor_data in access exclusive mode")
        batch = asyncio.create_task(_store(bench, engine, JUNE_US))
        await eventually(lambda: _is_waiting(watcher, "iot.sensor_data"))
    assert await batch == 3
    assert await owner.fetchval("select count(*) from iot.sensor_data") == 3
    await watcher.close()
    await owner.close()


async def _is_waiting(conn: asyncpg.Connection, relation: str) -> bool:
    """Whether somebody who reads or writes waits for a table."""
    return bool(await conn.fetchval(WAITING, relation))


@pytest.mark.parametrize("kind", ["stream", "row"])
async def test_a_partition_attached_under_a_batch_on_its_way_to_the_default_fails_nobody(
    make_engine_bench: MakeBench, eventually: Eventually, kind: str
) -> None:
    """It waits for the default partition, and by then its readings may not go there any more."""
    bench = await make_engine_bench()
    engine = await bench.engine(kind, JUNE_US)
    owner, watcher = [await asyncpg.connect(bench.owner_url) for _ in range(2)]
    async with owner.transaction():
        assert await owner.fetchval("select iot.ensure_partition('2026-06-01', 1::smallint)")
        batch = asyncio.create_task(_store(bench, engine, JUNE_US))
        default = "iot.sensor_data_default"
        await eventually(lambda: _is_waiting(watcher, default))
    assert await batch == 3
    assert await owner.fetchval(IN_DEFAULTS) == 0
    assert await owner.fetchval("select count(*) from iot.sensor_data") == 3
    await watcher.close()
    await owner.close()


async def test_readers_see_every_reading_once_while_they_are_brought_home(
    pool_as: OpenPool,
    owner: asyncpg.Connection,
    second: asyncpg.Connection,
    make_rows: MakeRows,
    platform_settings: PlatformSettings,
) -> None:
    """Several months and types, moved one after the other; one reader counts, another adds up."""
    ingest, worker = await pool_as("iot_ingest"), await pool_as("iot_worker")
    count = 20_000
    number = np.arange(count)
    rows = make_rows(count, sensor_type=np.array(TYPES, dtype=np.int16)[number % 2])
    rows.measured_us[:] = np.array(MONTHS_US)[number % 5] + number
    await _stray(owner, ingest, rows)
    done = asyncio.Event()
    counted: set[Any] = set()
    readers = [
        asyncio.create_task(_read_on(conn, query, done, counted))
        for conn, query in (
            (owner, "select count(*) from iot.sensor_data"),
            (second, "select count(distinct sensor_id) from iot.sensor_data"),
        )
    ]
    for _ in range(20):
        await make_ahead(worker, JUNE_US, platform_settings.layout)
    done.set()
    read = await asyncio.gather(*readers)
    assert counted == {count}
    assert min(read) > 10
    assert await owner.fetchval(IN_DEFAULTS) == 0


async def _read_on(
    conn: asyncpg.Connection, query: str, done: asyncio.Event, counted: set[Any]
) -> int:
    times = 0
    while not done.is_set():
        counted.add(await conn.fetchval(query))
        times += 1
    return times


async def test_a_reader_held_up_by_a_move_sees_what_was_moved(
    pool_as: OpenPool,
    owner: asyncpg.Connection,
    second: asyncpg.Connection,
    prepared: PreparedDatabase,
    make_rows: MakeRows,
    eventually: Eventually,
) -> None:
    """It must not have read the list of partitions before it had to wait."""
    await _stray(owner, await pool_as("iot_ingest"), make_rows(7))
    reader = await asyncpg.connect(prepared.owner_url)
    async with owner.transaction():
        assert await owner.fetchval("select iot.ensure_partition('2026-06-01', 1::smallint)")
        count = asyncio.create_task(reader.fetchval("select count(*) from iot.sensor_data"))
        anywhere = (
            "select count(*) from pg_locks where not granted and mode = 'AccessShareLock'"
            " and database = (select oid from pg_database where datname = current_database())"
        )
        await eventually(lambda: second.fetchval(anywhere))
    assert await count == 7
    await reader.close()


async def test_a_move_killed_in_the_middle_is_done_again_from_the_start(
    pool_as: OpenPool,
    owner: asyncpg.Connection,
    make_rows: MakeRows,
    platform_settings: PlatformSettings,
    eventually: Eventually,
) -> None:
    worker = await pool_as("iot_worker")
    await _stray(owner, await pool_as("iot_ingest"), make_rows(5))
    await owner.execute(
        """
        create function iot_private.dawdle() returns trigger language plpgsql as $$
        begin
            perform pg_sleep(60);
            return old;
        end $$;
        create trigger dawdle before delete on iot.sensor_data_default
            for each row execute function iot_private.dawdle();
        """
    )
    move = asyncio.create_task(make_ahead(worker, JUNE_US, platform_settings.layout))
    await eventually(lambda: owner.fetchval(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and wait_event = 'PgSleep'"
        " and query like '%ensure_partition%' and backend_type = 'client backend'"
        " and state = 'active' and usename = 'iot_worker'"
        " and exists (select from pg_locks as l where l.pid = pg_stat_activity.pid and l.granted"
        " and l.relation = 'iot.sensor_data_default'::regclass and l.mode = 'AccessExclusiveLock')"
    ))
    with pytest.raises(asyncpg.PostgresError, match="terminating connection"):
        await move
    assert await owner.fetchval(IN_DEFAULTS) == 5
    await owner.execute("drop trigger dawdle on iot.sensor_data_default")
    await make_ahead(worker, JUNE_US, platform_settings.layout)
    assert await owner.fetchval(IN_DEFAULTS) == 0
    assert await owner.fetchval("select count(*) from iot.sensor_data") == 5


async def test_two_makers_at_once_bring_each_reading_home_once(
    pool_as: OpenPool,
    owner: asyncpg.Connection,
    make_rows: MakeRows,
    platform_settings: PlatformSettings,
) -> None:
    ingest, worker = await pool_as("iot_ingest"), await pool_as("iot_worker")
    number = np.arange(500)
    rows = make_rows(500, sensor_type=(number % 4 + 1).astype(np.int16))
    rows.measured_us[:] = np.array(MONTHS_US)[number % 5] + number
    await _stray(owner, ingest, rows)
    layout = platform_settings.layout
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(make_ahead(worker, JUNE_US, layout))
            group.create_task(Partitions().ensure(ingest, rows.measured_us, rows.sensor_type))
    await make_ahead(worker, JUNE_US, layout)
    assert await owner.fetchval(IN_DEFAULTS) == 0
    stored = await owner.fetchval("select count(distinct sensor_id) from iot.sensor_data")
    assert (stored, await owner.fetchval("select count(*) from iot.sensor_data")) == (500, 500)


async def test_times_at_and_beyond_the_ends_fail_no_batch_and_keep_nobody_from_home(
    pool_as: OpenPool,
    owner: asyncpg.Connection,
    make_rows: MakeRows,
    platform_settings: PlatformSettings,
) -> None:
    """1970 and 2199 have partitions; what lies outside stays where it fell, and is told."""
    ingest, worker, rows = await pool_as("iot_ingest"), await pool_as("iot_worker"), make_rows(6)
    years = [1970, 2199, 2200, 9999, 1969]
    rows.measured_us[:5] = [_us(year) for year in years]
    rows.measured_us[5] = _us(9999) * 3
    await _stray(owner, ingest, rows)
    await make_ahead(worker, JUNE_US, platform_settings.layout)
    assert await owner.fetchval("select count(*) from iot.sensor_data") == 6
    home = "select array_agg(tableoid::regclass::text order by 1) from iot.sensor_data"
    assert set(await owner.fetchval(home)) == {
        "iot.sensor_data_1970_01_type_1", "iot.sensor_data_2199_01_type_1",
        "iot.sensor_data_default",
    }  # fmt: skip
    told = await owner.fetch("select isfinite(measured_from), reading_count"
                             " from iot.stray_readings() order by 2")
    assert [tuple(row) for row in told] == [(False, 1), (False, 3)]


def _us(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


async def test_a_detached_partition_of_that_name_holds_no_new_readings(
    owner: asyncpg.Connection, make_rows: MakeRows, pool_as: OpenPool
) -> None:
    ensure = "select iot.ensure_partition('2026-06-01', 1::smallint)"
    assert await owner.fetchval(ensure)
    await owner.execute("alter table iot.sensor_data detach partition iot.sensor_data_2026_06")
    await owner.execute(
        "alter table iot.sensor_data_2026_06 detach partition iot.sensor_data_2026_06_type_1"
    )
    assert not await owner.fetchval(ensure)
    await timeseries.write(await pool_as("iot_ingest"), make_rows(1))
    assert await owner.fetchval(IN_DEFAULTS) == 1
