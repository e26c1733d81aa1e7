"""Closed hours and days in few numbers, however late and in whatever order their readings come."""

import math
from datetime import timedelta

import asyncpg
import numpy as np
import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.timeseries import rollups
from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.timeseries.rollups.kinds import incremental
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice

HOUR_US = 3_600_000_000
JUNE_US = 1_780_272_000_000_000
"""2026-06-01T00:00:00Z."""
SENSORS = 4
TRUTH = """
    select sensor_id, date_trunc('hour', measurement_timestamp, 'UTC') as hour_start,
        count(*) as reading_count, avg(measurement_value) as mean_value,
        min(measurement_value) as min_value, max(measurement_value) as max_value,
        var_pop(measurement_value) * count(*) as squares,
        count(*) filter (where data_quality = 0) as valid_count,
        count(*) filter (where is_anomaly) as anomaly_count
    from iot.sensor_data where measurement_timestamp < $1
    group by 1, 2 order by 1, 2
"""
MADE = """
    select sensor_id, hour_start, reading_count, mean_value, min_value, max_value,
        sum_squared_deviations as squares, valid_count, anomaly_count
    from iot.sensor_hourly_aggregates order by 1, 2
"""


@pytest.fixture
async def bench(make_engine_bench):
    return await make_engine_bench(SENSORS)


@pytest.fixture
async def worker(bench, database_url: str, make_settings):
    """The worker's pool on the bench's database."""
    settings = make_settings()
    prepared = await prepare_database(database_url, settings)
    pool = await open_pool(prepared.urls["iot_worker"], settings.database, "iot_worker")
    yield pool
    await pool.close()


async def same(bench, now_us: int) -> int:
    """Check that every closed hour is what its readings make; how many there are."""
    closed = to_datetime(now_us // HOUR_US * HOUR_US)
    truth = await bench.fetch(TRUTH, closed)
    made = await bench.fetch(MADE)
    assert len(made) == len(truth)
    for one, other in zip(made, truth, strict=True):
        floats = {name for name in one if isinstance(one[name], float)}
        assert {k: one[k] for k in one if k not in floats} == {
            k: other[k] for k in other if k not in floats
        }
        for name in floats:
            assert one[name] == pytest.approx(other[name], rel=1e-9, abs=1e-6), name
    return len(made)


async def store(bench, engine, random, hours: range, count: int, received_us: int) -> None:
    """Readings of random sensors at random times in some hours."""
    sensor = random.integers(0, SENSORS, count).astype(np.int32)
    start, width = JUNE_US + hours.start * HOUR_US, len(hours) * HOUR_US
    t_us = start + random.integers(0, width // 1000, count) * 1000
    value = np.round(random.normal(20, 40, count), 3)
    await bench.store_columns(engine, sensor, t_us, value, received_us)


async def test_hours_are_what_their_readings_make_late_ones_included(bench, worker: Pool):
    random = np.random.default_rng(7)
    engine = await bench.engine("stream", JUNE_US)
    for hour in range(1, 7):
        now_us = JUNE_US + hour * HOUR_US
        await store(bench, engine, random, range(hour - 1, hour), 200, now_us)
        await store(bench, engine, random, range(hour), 20, now_us + 1)
        await rollups.refresh(worker, now_us + 1)
        assert await same(bench, now_us) == hour * SENSORS
    later_us = now_us + 120_000_000
    await rollups.refresh(worker, later_us)
    assert await rollups.refresh(worker, later_us + 1) == 0
    days = await bench.fetch("select * from iot.sensor_daily_aggregates order by sensor_id")
    for day in days:
        values = np.array([row["measurement_value"] for row in await bench.fetch(
            "select measurement_value from iot.sensor_data where sensor_id = $1", day["sensor_id"]
        )])  # fmt: skip
        assert day["reading_count"] == len(values)
        assert day["mean_value"] == pytest.approx(values.mean(), rel=1e-9)
        assert day["sum_squared_deviations"] == pytest.approx(
            ((values - values.mean()) ** 2).sum(), rel=1e-9
        )
        assert (day["min_value"], day["max_value"]) == (values.min(), values.max())
        assert day["day_start"] == to_datetime(JUNE_US)


async def test_an_hour_waits_until_it_is_over(bench, worker: Pool):
    engine = await bench.engine("stream", JUNE_US)
    await bench.store(engine, [(0, JUNE_US + 5, 1.0)], JUNE_US + 10)
    assert await rollups.refresh(worker, JUNE_US + HOUR_US - 1) == 0
    assert await rollups.refresh(worker, JUNE_US + HOUR_US) == 1


async def test_what_was_noted_and_not_made_is_made_the_next_time(bench, worker: Pool):
    """As after a kill between the two; a second look at the same readings adds nothing."""
    engine = await bench.engine("stream", JUNE_US)
    await bench.store(engine, [(0, JUNE_US + i, float(i)) for i in range(9)], JUNE_US + 10)
    await incremental.note_touched(worker, JUNE_US + HOUR_US)
    await bench.fetch("update iot.rollup_progress set received_through = '-infinity'")
    await incremental.note_touched(worker, JUNE_US + HOUR_US)
    assert await incremental.make_closed(worker, JUNE_US + HOUR_US) == 1
    assert await same(bench, JUNE_US + HOUR_US) == 1


async def test_readings_after_a_clock_was_set_back_are_not_missed(bench, worker: Pool):
    late_us = JUNE_US + 50 * HOUR_US
    engine = await bench.engine("stream", late_us)
    await bench.store(engine, [(0, JUNE_US + 5, 1.0)], late_us)
    assert await rollups.refresh(worker, late_us) == 1
    await bench.fetch(
        "update iot.platform_clock set virtual_anchor = $1", to_datetime(JUNE_US + HOUR_US)
    )
    await bench.store(engine, [(1, JUNE_US + 6, 2.0)], JUNE_US + HOUR_US + 1)
    await rollups.refresh(worker, JUNE_US + 2 * HOUR_US)
    assert await same(bench, late_us) == 2
    # Those from before lie ahead of the clock still, and hide none that comes after them.
    await bench.store(engine, [(2, JUNE_US + 7, 3.0)], JUNE_US + 3 * HOUR_US)
    await rollups.refresh(worker, JUNE_US + 3 * HOUR_US)
    assert await same(bench, late_us) == 3


async def test_a_value_that_no_float_can_square_spoils_no_hour(bench, worker: Pool):
    engine = await bench.engine("stream", JUNE_US)
    readings = [(0, JUNE_US + 1, 1e200), (0, JUNE_US + 2, -1e200), (1, JUNE_US + 3, 4.0)]
    await bench.store(engine, readings, JUNE_US + HOUR_US)
    assert await rollups.refresh(worker, JUNE_US + HOUR_US) == 1
    (row,) = await bench.fetch(MADE)
    assert (row["reading_count"], row["squares"]) == (1, 0.0)


async def test_values_that_are_large_against_their_spread_keep_it(bench, worker: Pool):
    engine = await bench.engine("stream", JUNE_US)
    readings = [(0, JUNE_US + i * 1000, 1e8 + math.sin(i)) for i in range(500)]
    await bench.store(engine, readings, JUNE_US + HOUR_US)
    await rollups.refresh(worker, JUNE_US + HOUR_US)
    (row,) = await bench.fetch(MADE)
    values = np.array([value for _, _, value in readings])
    assert row["squares"] == pytest.approx(((values - values.mean()) ** 2).sum(), rel=1e-4)


async def test_the_worker_makes_them_by_itself(start_service, owner_of, eventually):
    service = await start_service()
    tenant = await service.tenant(NewDevice(serial_number="t", device_type="thermometer"))
    measured_us = wall_now_us() - 2 * HOUR_US
    reading = {"sensor": "temperature", "t": measured_us, "v": 20.0}
    assert (await service.post(tenant.token("t"), [reading])).status == 200
    owner: asyncpg.Connection = await owner_of(service)
    service_again = await _restarted(service)
    await eventually(
        lambda: owner.fetchval("select exists (select from iot.sensor_hourly_aggregates)")
    )
    hour = await owner.fetchval("select hour_start from iot.sensor_hourly_aggregates")
    assert hour <= to_datetime(measured_us) < hour + timedelta(hours=1)
    for unit in ("hours", "days"):
        span = f"since_us={measured_us - 48 * HOUR_US}&until_us={measured_us}"
        path = f"/v1/sensors/{tenant.sensor('t')}/{unit}?{span}"
        headers = {"Authorization": f"Bearer {tenant.api_key}"}
        (bucket,) = (await service.request("GET", path, headers, b"")).body["buckets"]
        assert (bucket["count"], bucket["mean"], bucket["deviation"]) == (1, 20.0, 0.0)
    assert await service_again.terminate() == 0


async def _restarted(service):
    """A job runs as soon as its worker starts."""
    await service.terminate()
    return await service.start()
