"""Partitions are there before the readings, whoever asks and however many at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import numpy as np
import pytest

from fleetplatform import timeseries
from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.batch import Rows
from fleetplatform.database.pool import Pool
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries.partitions import Partitions, make_ahead

MakeRows = Callable[..., Rows]
MakeSettings = Callable[..., PlatformSettings]
OpenPool = Callable[[str], Awaitable[Pool]]

JUNE = "sensor_data_2026_06"


async def _partitions(conn: asyncpg.Connection) -> set[str]:
    rows = await conn.fetch(
        "select c.relname from pg_partition_tree('iot.sensor_data') as t"
        " join pg_class as c on c.oid = t.relid where t.level > 0"
    )
    return {row["relname"] for row in rows}


async def test_a_month_and_its_types_are_made_on_demand(
    pool_as: OpenPool, owner: asyncpg.Connection, make_rows: MakeRows
) -> None:
    rows = make_rows(4, sensor_type=np.array([1, 2, 2, 5], dtype=np.int16))
    await Partitions().ensure(await pool_as("iot_ingest"), rows.measured_us, rows.sensor_type)
    assert await _partitions(owner) == {
        "sensor_data_default", JUNE, f"{JUNE}_default",
        f"{JUNE}_type_1", f"{JUNE}_type_2", f"{JUNE}_type_5",
    }


async def test_a_partition_is_asked_for_but_once(
    pool_as: OpenPool, owner: asyncpg.Connection, make_rows: MakeRows
) -> None:
    pool, rows, partitions = await pool_as("iot_ingest"), make_rows(3), Partitions()
    await partitions.ensure(pool, rows.measured_us, rows.sensor_type)
    await pool.close()
    await partitions.ensure(pool, rows.measured_us, rows.sensor_type)


async def test_many_who_ask_at_once_get_the_same_partitions(
    pool_as: OpenPool, owner: asyncpg.Connection, make_rows: MakeRows
) -> None:
    pool, other = await pool_as("iot_ingest"), await pool_as("iot_worker")
    rows = make_rows(6, sensor_type=np.arange(1, 7, dtype=np.int16))
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(Partitions().ensure(pool, rows.measured_us, rows.sensor_type))
            group.create_task(Partitions().ensure(other, rows.measured_us, rows.sensor_type))
    assert len(await _partitions(owner)) == 9


async def test_partitions_are_made_while_others_write(
    pool_as: OpenPool, owner: asyncpg.Connection, make_rows: MakeRows
) -> None:
    """A transaction that stores readings neither waits for a new partition nor holds it up."""
    pool, partitions, rows = await pool_as("iot_ingest"), Partitions(), make_rows(10)
    await partitions.ensure(pool, rows.measured_us, rows.sensor_type)
    async with pool.acquire() as conn, conn.transaction():
        await timeseries.write(conn, rows.take(np.arange(5)))
        later = rows.measured_us + 200 * 86_400_000_000
        await partitions.ensure(pool, later, rows.sensor_type)
        await timeseries.write(conn, rows.take(np.arange(5, 10)))
    assert "sensor_data_2026_12_type_1" in await _partitions(owner)
    assert await owner.fetchval("select count(*) from iot.sensor_data") == 10


async def test_readings_that_strayed_are_brought_home(
    pool_as: OpenPool,
    owner: asyncpg.Connection,
    make_rows: MakeRows,
    platform_settings: PlatformSettings,
) -> None:
    """While somebody keeps the table locked, readings go to the default partition, not lost."""
    ingest, worker, rows = await pool_as("iot_ingest"), await pool_as("iot_worker"), make_rows(7)
    async with owner.transaction():
        await owner.execute("lock table iot.sensor_data_default in access share mode")
        await Partitions().ensure(ingest, rows.measured_us, rows.sensor_type)
        await timeseries.write(ingest, rows)
    strays = await owner.fetch("select * from iot.stray_readings()")
    first = datetime(2026, 6, 1, tzinfo=UTC)
    assert [tuple(row) for row in strays] == [(first, 1, 7)]
    await make_ahead(worker, int(rows.measured_us[0]), platform_settings.layout)
    assert await owner.fetch("select * from iot.stray_readings()") == []
    assert await owner.fetchval(f"select count(*) from iot.{JUNE}_type_1") == 7


async def test_a_time_out_of_all_bounds_fails_nobody(
    pool_as: OpenPool, owner: asyncpg.Connection, make_rows: MakeRows
) -> None:
    pool, rows = await pool_as("iot_ingest"), make_rows(3)
    rows.measured_us[:] += np.array([0, 200 * 365, -60 * 365]) * 86_400_000_000
    await Partitions().ensure(pool, rows.measured_us, rows.sensor_type)
    await timeseries.write(pool, rows)
    assert await owner.fetchval("select sum(reading_count) from iot.stray_readings()") == 2
    assert await owner.fetchval("select count(*) from iot.sensor_data") == 3


async def test_partitions_are_made_ahead_for_the_types_that_exist(
    pool_as: OpenPool, owner: asyncpg.Connection, platform_settings: PlatformSettings
) -> None:
    await _add_sensor(owner, sensor_type=4)
    now = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    pool = await pool_as("iot_worker")
    await make_ahead(pool, int(now.timestamp()) * 1_000_000, platform_settings.layout)
    months = ("2026_11", "2026_12", "2027_01", "2027_02")
    assert await _partitions(owner) == {"sensor_data_default"} | {
        f"sensor_data_{month}{part}" for month in months for part in ("", "_default", "_type_4")
    }


async def _add_sensor(owner: asyncpg.Connection, sensor_type: int) -> None:
    await owner.execute(
        """
        with o as (insert into iot.organizations (name) values ('one') returning organization_id),
        t as (
            insert into iot.device_types (name, version) values ('t', '1')
            returning device_type_id
        ),
        v as (
            insert into iot.device_type_versions (device_type_id, version, specification)
            select device_type_id, '1', '{}' from t
        ),
        d as (
            insert into iot.devices (organization_id, device_type_id, serial_number,
                device_type_version, hardware_revision)
            select organization_id, device_type_id, 's', '1', '1' from o, t
            returning organization_id, device_id
        )
        insert into iot.sensors (organization_id, device_id, name, position, sensor_type, unit,
            value_min, value_max, resolution, sampling_interval)
        select organization_id, device_id, 'x', 0, $1, 'V', 0, 1, 0.1, interval '10 s' from d
        """,
        sensor_type,
    )


async def test_days_begin_in_utc_whatever_the_session_says(
    database_url: str, make_settings: MakeSettings
) -> None:
    prepared = await prepare_database(database_url, make_settings("daily"))
    owner = await asyncpg.connect(prepared.owner_url)
    await owner.execute("set timezone = 'Pacific/Auckland'")
    await owner.execute("set datestyle = 'German'")
    await owner.fetchval("select iot.ensure_partition('2026-06-01T23:30:00Z', 1::smallint)")
    await owner.execute("set timezone = 'UTC'")
    bounds = await owner.fetchval(
        "select pg_get_expr(relpartbound, oid) from pg_class"
        " where relname = 'sensor_data_2026_06_01'"
    )
    assert "01.06.2026 00:00:00 UTC" in bounds
    assert "02.06.2026 00:00:00 UTC" in bounds
    await owner.close()


async def test_only_the_partition_of_a_time_is_read(
    owner: asyncpg.Connection, pool_as: OpenPool, make_rows: MakeRows
) -> None:
    """Virtual time is stable in a statement, so partitions are left out before they are opened."""
    rows, pool = make_rows(1), await pool_as("iot_ingest")
    for step in range(3):
        later = rows.measured_us + step * 31 * 86_400_000_000
        await Partitions().ensure(pool, later, rows.sensor_type)
    await owner.execute(
        "update iot.platform_clock"
        " set virtual_anchor = '2026-06-10', wall_anchor = now(), speed = 0"
    )
    plan = await owner.fetch(
        "explain (analyze, costs off, timing off, summary off) select count(*) from iot.sensor_data"
        " where measurement_timestamp >= iot.now() - interval '1 day'"
        " and measurement_timestamp < iot.now()"
    )
    lines = [row[0] for row in plan if "sensor_data_2026" in row[0]]
    assert lines
    assert all("sensor_data_2026_06" in line for line in lines)


async def test_stored_readings_are_found_with_the_value_that_arrived(
    prepared: PreparedDatabase, pool_as: OpenPool, make_rows: MakeRows
) -> None:
    pool = await pool_as("iot_ingest")
    rows = make_rows(100, raw=np.where(np.arange(100) % 2, np.arange(100) * 3.0, np.nan))
    await Partitions().ensure(pool, rows.measured_us, rows.sensor_type)
    await timeseries.write(pool, rows.take(np.arange(0, 100, 3)))
    asked = np.arange(50, 100)
    at, value = await timeseries.find_stored(pool, rows, asked)
    order = np.argsort(at)
    expected = np.arange(51, 100, 3)
    assert at[order].tolist() == expected.tolist()
    sent = np.where(expected % 2, expected * 3.0, expected * 0.5)
    assert value[order].tolist() == sent.tolist()


async def test_none_is_found_where_none_is_stored(pool_as: OpenPool, make_rows: MakeRows) -> None:
    at, value = await timeseries.find_stored(
        await pool_as("iot_ingest"), make_rows(5), np.arange(5)
    )
    assert (len(at), len(value)) == (0, 0)


async def test_a_look_up_uses_the_unique_key(
    owner: asyncpg.Connection, pool_as: OpenPool, make_rows: MakeRows
) -> None:
    """Whatever it asks for, it scans no partition."""
    pool, rows = await pool_as("iot_ingest"), make_rows(1000)
    await Partitions().ensure(pool, rows.measured_us, rows.sensor_type)
    await timeseries.write(pool, rows)
    await pool.close()
    before = await _scans(owner)
    pool = await pool_as("iot_ingest")
    for _ in range(8):
        await timeseries.find_stored(pool, rows, np.arange(1000))
    await pool.close()
    after = await _scans(owner)
    assert (after[0] - before[0], after[1] - before[1]) == (0, 8000)


async def _scans(owner: asyncpg.Connection) -> tuple[int, int]:
    row = await owner.fetchrow(
        "select seq_scan, idx_scan from pg_stat_user_tables where relname = $1", f"{JUNE}_type_1"
    )
    return row["seq_scan"], row["idx_scan"]


async def test_a_reading_stored_twice_is_refused_with_its_batch(
    pool_as: OpenPool, owner: asyncpg.Connection, make_rows: MakeRows
) -> None:
    pool, rows = await pool_as("iot_ingest"), make_rows(10)
    await Partitions().ensure(pool, rows.measured_us, rows.sensor_type)
    await timeseries.write(pool, rows.take(np.arange(5)))
    with pytest.raises(asyncpg.UniqueViolationError):
        await timeseries.write(pool, rows.take(np.arange(4, 10)))
    assert await owner.fetchval("select count(*) from iot.sensor_data") == 5


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 from iot.sensor_data",
        "delete from iot.sensor_data",
        "insert into iot.sensor_data_default select from iot.sensor_data_default",
        "drop table iot.sensor_data",
        "create table iot.mine (x int)",
        "update iot.platform_clock set speed = 2",
        "select * from iot.stray_readings()",
    ],
)
async def test_ingest_may_only_add(pool_as: OpenPool, statement: str) -> None:
    pool = await pool_as("iot_ingest")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute(statement)
