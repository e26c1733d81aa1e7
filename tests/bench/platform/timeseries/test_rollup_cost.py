"""What closed hours cost: a day made in full in either way, and again after a little came late.

FLEETSTORM_ROLLUP_ROWS says how many readings the day has: one a minute of each sensor, of one
type, in order of time. 1 % of them come late, a day later, in one of two ways. A burst: some
devices could not send for six hours and then do, so 1 % of the pairs of a sensor and an hour are
touched, and those whole. Scattered: any reading of any sensor may be one of them, so nearly half of
the pairs are touched, and the hours they lie in have to be read; no way of making hours anew spares
that.
"""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import numpy as np
import pytest
from numpy.typing import NDArray

from fleetconf.units import parse
from fleetplatform import timeseries
from fleetplatform.admin import prepare_database
from fleetplatform.batch import Rows
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries import rollups
from fleetplatform.timeseries.partitions import Partitions
from fleetplatform.timeseries.rollups.kinds import incremental

pytestmark = pytest.mark.bench

ROWS = int(parse(os.environ.get("FLEETSTORM_ROLLUP_ROWS", "10M"), "count") or 0)
MINUTES = 1440
SENSORS = ROWS // MINUTES
OUTAGE_H = range(9, 15)
JUNE_US = 1_780_272_000_000_000
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
BATCH_ROWS = 20_000
BAR = 0.05
FLEET = f"""
with organization as (
    insert into iot.organizations (name) values ('bench') returning organization_id
), type as (
    insert into iot.device_types (name, version) values ('t', '1') returning device_type_id
), version as (
    insert into iot.device_type_versions (device_type_id, version, specification)
    select device_type_id, '1', '{{}}' from type returning device_type_id
), device as (
    insert into iot.devices (organization_id, device_type_id, serial_number, device_type_version,
        hardware_revision, device_status)
    select organization_id, device_type_id, n::text, '1', '1', 'active'
    from organization, version, generate_series(1, {SENSORS}) as n
    returning organization_id, device_id
)
insert into iot.sensors (organization_id, device_id, name, position, sensor_type, unit, value_min,
    value_max, resolution)
select organization_id, device_id, 's', 0, 1, 'K', -1e9, 1e9, 0.1 from device
"""
TOUCHED = "select count(*), count(distinct hour_start) as hours from iot.rollup_hours"


class Day:
    """The readings of a day as arrays, and the database that they go to."""

    def __init__(self, prepared: Any, worker: Pool, ids: list[Any]) -> None:
        self.prepared = prepared
        self.worker = worker
        words = [np.frombuffer(b"".join(row[n].bytes for row in ids), ">u8") for n in range(3)]
        halves = (half for word in words for half in (word[::2], word[1::2]))
        self._halves = [half.astype(np.uint64) for half in halves]

    def rows(self, sensor: Any, t_us: Any, received_us: int) -> Rows:
        halves, count = [half[sensor] for half in self._halves], len(sensor)
        nothing = np.full(count, np.nan)
        return Rows(
            sensor=sensor.astype(np.int32), sensor_high=halves[0], sensor_low=halves[1],
            device_high=halves[2], device_low=halves[3], organization_high=halves[4],
            organization_low=halves[5], sensor_type=np.ones(count, np.int16), measured_us=t_us,
            value=20 + np.sin(t_us / HOUR_US) + sensor % 7, raw=nothing,
            quality=np.zeros(count, np.int16), is_anomaly=np.zeros(count, np.bool_),
            score=nothing, metadata=None, received_us=received_us,
        )  # fmt: skip

    async def store(self, sensor: NDArray[Any], t_us: NDArray[Any], received_us: int) -> None:
        async with asyncpg.create_pool(self.prepared.urls["iot_ingest"], min_size=0) as pool:
            await Partitions().ensure(pool, t_us, np.ones(len(t_us), np.int16))
            for start in range(0, len(sensor), BATCH_ROWS):
                part = slice(start, start + BATCH_ROWS)
                await timeseries.write(pool, self.rows(sensor[part], t_us[part], received_us))

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        owner = await asyncpg.connect(self.prepared.owner_url)
        try:
            return await owner.fetch(query, *values)
        finally:
            await owner.close()

    async def choose(self, kind: str) -> None:
        owner = await asyncpg.connect(self.prepared.owner_url)
        await rollups.choose(owner, kind)
        await owner.close()


@asynccontextmanager
async def _day(url: str, settings: PlatformSettings) -> AsyncIterator[Day]:
    prepared = await prepare_database(url, settings)
    worker = await open_pool(prepared.urls["iot_worker"], settings.database, "iot_worker")
    owner = await asyncpg.connect(prepared.owner_url)
    await owner.execute(FLEET)
    await owner.execute("analyze")
    ids = await owner.fetch(
        "select sensor_id, device_id, organization_id from iot.sensors order by sensor_id"
    )
    await owner.close()
    yield Day(prepared, worker, ids)
    await worker.close()


async def _timed(call: Awaitable[Any]) -> float:
    began = time.perf_counter()
    await call
    return time.perf_counter() - began


def _burst() -> NDArray[np.bool_]:
    """By minute and sensor: who is silent when, 1 % of the day's readings."""
    silent = np.zeros((MINUTES, SENSORS), np.bool_)
    devices = max(1, round(SENSORS * 0.01 * 24 / len(OUTAGE_H)))
    silent[OUTAGE_H.start * 60 : OUTAGE_H.stop * 60, :: max(1, SENSORS // devices)] = True
    return silent


def _at(chosen: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    minute, sensor = np.nonzero(chosen)
    return sensor, JUNE_US + minute * MINUTE_US + sensor


async def test_a_day_in_full_and_after_one_percent_came_late(
    database_url: str, make_settings: Callable[[], PlatformSettings]
) -> None:
    async with _day(database_url, make_settings()) as day:
        silent, now_us = _burst(), JUNE_US + DAY_US + HOUR_US
        took = await _timed(day.store(*_at(~silent), JUNE_US + DAY_US))
        print(f"\n{ROWS:,} readings of {SENSORS:,} sensors, stored in {took:.1f} s")
        # As autovacuum has done long before data are a day late: also for the index on time.
        await day.fetch("vacuum (analyze) iot.sensor_data")
        whole = await _timed(rollups.refresh(day.worker, now_us))
        print(f"incremental, the whole day at first: {whole:.2f} s")
        burst = await _late(day, "burst", *_at(silent), now_us + DAY_US)
        random = np.random.default_rng(1)
        sensor = random.integers(0, SENSORS, ROWS // 100)
        t_us = JUNE_US + random.integers(0, MINUTES, ROWS // 100) * MINUTE_US + sensor + SENSORS
        # Twice the same would be a duplicate, which ingest takes out.
        _, at = np.unique(sensor * DAY_US + t_us, return_index=True)
        scattered = await _late(day, "scattered", sensor[at], t_us[at], now_us + 2 * DAY_US)
        table = await _sums(day)
        await day.choose("materialized_view")
        first = await _timed(rollups.refresh(day.worker, now_us + 2 * DAY_US))
        assert await _sums(day) == table
        again = [await _timed(rollups.refresh(day.worker, now_us + 2 * DAY_US)) for _ in range(3)]
        full = float(np.median(again))
        print(f"materialised view: filled in {first:.2f} s, refreshed beside readers {full:.2f} s")
        for name, cost in (("burst", burst), ("scattered", scattered)):
            print(f"after 1 % {name}, incremental / refresh of the view: {cost / full:.1%}"
                  f", / incremental in full: {cost / whole:.1%}"
                  f"{f'  (bar: {BAR:.0%})' if name == 'burst' else ''}")  # fmt: skip


async def _sums(day: Day) -> tuple[Any, ...]:
    (row,) = await day.fetch(
        "select count(*), sum(reading_count), round(sum(mean_value)::numeric, 3) from"
        " iot.sensor_hours"
    )
    return tuple(row)


async def _late(
    day: Day, name: str, sensor: NDArray[Any], t_us: NDArray[Any], now_us: int
) -> float:
    """Seconds from late rows that are stored to hours that hold them."""
    await day.store(sensor, t_us, now_us - MINUTE_US)
    noting = await _timed(incremental.note_touched(day.worker, now_us))
    (touched,) = await day.fetch(TOUCHED)
    await _explain(day, name)
    making = await _timed(incremental.make_closed(day.worker, now_us))
    again = await _timed(rollups.refresh(day.worker, now_us + 30 * MINUTE_US))
    pairs = touched["count"] / (SENSORS * 24)
    print(f"{name}: {len(sensor):,} late rows touch {pairs:.1%} of the pairs, in"
          f" {touched['hours']} hours: noted in {noting:.2f} s, made in {making:.2f} s;"
          f" with nothing new {again:.3f} s")  # fmt: skip
    return noting + making


async def _explain(day: Day, name: str) -> None:
    """What making one touched hour reads, of the pages that the day has."""
    sql = incremental._queries
    (hour,) = await day.fetch("select min(hour_start) from iot.rollup_hours")
    (pages,) = await day.fetch(
        "select sum(pg_relation_size(relid)) / 8192 from pg_partition_tree('iot.sensor_data')"
    )
    for query in ("make_touched", "make_hour"):
        async with day.worker.acquire() as conn:
            under = conn.transaction()
            await under.start()
            if query == "make_touched":
                await sql.keep_to_key(conn)
            plan = await conn.fetch(
                f"explain (analyze, buffers, costs off, format json) {getattr(sql, query).sql}",
                hour[0],
            )
            await under.rollback()
        top = plan[0][0][0]["Plan"]
        read = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
        took_ms, scans = plan[0][0][0]["Execution Time"], ", ".join(sorted(_scans(top)))
        print(f"  {query} of one hour ({name}): {read:,} buffers, {took_ms:.0f} ms,"
              f" where the day has {int(pages[0]):,} pages; {scans}")  # fmt: skip


def _scans(node: Any) -> set[str]:
    found = {f"{node['Node Type']} on readings"} if str(
        node.get("Relation Name", "")
    ).startswith("sensor_data") else set()
    for below in node.get("Plans", []):
        found |= _scans(below)
    return found


