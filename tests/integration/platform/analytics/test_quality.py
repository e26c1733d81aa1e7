"""Scores of hours, flags, and the readings that have them."""

import re
import uuid
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.analytics import quality
from fleetplatform.analytics.choice import Span
from fleetplatform.client import ApiError, Client
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError, NotFoundError
from fleetplatform.timeseries import rollups
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
START_US = 1_780_272_000_000_000
"""2026-06-01T00:00:00Z."""


@pytest.fixture
async def bench(make_engine_bench, database_url, make_settings):
    """Two thermometers; `ask` as their tenant, `refresh` as the worker."""
    made = await make_engine_bench(2)
    settings = make_settings()
    prepared = await prepare_database(database_url, settings)
    pools = {
        role: await open_pool(prepared.urls[role], settings.database, role)
        for role in ("iot_api", "iot_worker")
    }
    rows = await made.fetch(
        "select organization_id, device_id, sensor_id from iot.sensors join iot.devices"
        " using (organization_id, device_id) order by serial_number"
    )
    yield SimpleNamespace(
        engine=made.engine, store=made.store, fetch=made.fetch,
        api=pools["iot_api"], worker=pools["iot_worker"],
        tenant=Tenant(rows[0]["organization_id"]),
        sensors=[row["sensor_id"] for row in rows], devices=[row["device_id"] for row in rows],
    )  # fmt: skip
    for pool in pools.values():
        await pool.close()


async def of_sensor(bench, sensor: int, since_h: float, until_h: float, now_h: float):
    span = Span(round(START_US + since_h * HOUR_US), round(START_US + until_h * HOUR_US))
    now_us = round(START_US + now_h * HOUR_US)
    return await quality.of_sensor(bench.api, bench.tenant, bench.sensors[sensor], span, now_us)


async def store(bench, engine, start_us: int, values: list[float], sensor: int = 0) -> None:
    """A reading each ten seconds, received when the last was measured."""
    readings = [(sensor, start_us + i * 10 * SECOND_US, one) for i, one in enumerate(values)]
    await bench.store(engine, readings, readings[-1][1])


async def test_hours_that_are_whole_half_silent_and_not_over(bench) -> None:
    engine = await bench.engine("stream", START_US)
    for quarter in range(0, 360, 60):
        values = [20 + i * 0.01 for i in range(60)]
        await store(bench, engine, START_US + HOUR_US + quarter * 10 * SECOND_US, values)
    # Half of the third hour, with a silence before, a leap up and down again, and a value
    # out of range; nothing in the fourth and a reading in the fifth, which goes on.
    half = [20.0] + [21 + i * 0.01 for i in range(178)] + [90.0]
    for part in range(0, 180, 60):
        start_us = START_US + 2 * HOUR_US + HOUR_US // 2 + part * 10 * SECOND_US
        await store(bench, engine, start_us, half[part : part + 60])
    await store(bench, engine, START_US + 4 * HOUR_US, [23.0])
    now_us = START_US + 4 * HOUR_US + HOUR_US // 2
    await rollups.refresh(bench.worker, now_us)
    found = await of_sensor(bench, 0, 0, 10, 4.5)
    told = [(h.start_us - START_US) // HOUR_US for h in found.hours]
    assert told == [1, 2, 3]
    whole, bad, silent = found.hours
    assert (whole.score, whole.completeness, whole.valid_share, whole.readings) == (1, 1, 1, 360)
    assert set(quality_counts(whole).values()) == {0}
    assert (bad.completeness, bad.valid_share, bad.readings) == (0.5, 178 / 180, 180)
    assert bad.score == 0.5 * 178 / 180
    counted = quality_counts(bad)
    assert {flag: n for flag, n in counted.items() if n} == {"range": 1, "rate": 1, "gap": 1}
    assert (silent.score, silent.completeness, silent.valid_share) == (0, 0, None)
    assert found.interval_s == 10
    assert found.score == pytest.approx((1 + bad.score + 0) / 3)
    assert found.completeness == 0.5
    assert found.valid_share == 538 / 540
    later = await of_sensor(bench, 0, 0, 10, 6)
    assert [h.start_us for h in later.hours][3:] == [START_US + 5 * HOUR_US], "not made yet"
    await rollups.refresh(bench.worker, START_US + 5 * HOUR_US)
    later = await of_sensor(bench, 0, 0, 10, 5)
    assert later.hours[3].readings == 1
    assert (await of_sensor(bench, 0, 2.5, 3.5, 5)).hours == (silent,)
    assert (await of_sensor(bench, 0, 2.5, 2.9, 5)).hours == ()
    assert (await of_sensor(bench, 0, 2.5, 9, 0)).score is None


def quality_counts(hour) -> dict[str, int]:
    return {flag: getattr(hour.flags, flag) for flag in quality.FLAGS}


async def test_a_device_and_what_no_longer_stands_in_the_table(bench) -> None:
    engine = await bench.engine("stream", START_US)
    await store(bench, engine, START_US, [20.0, 40.0, 20.0])
    await rollups.refresh(bench.worker, START_US + HOUR_US)
    span = Span(START_US, START_US + 2 * HOUR_US)
    now_us = START_US + 2 * HOUR_US
    ask = (bench.devices[0], span, now_us)
    found = await quality.of_device(bench.api, bench.tenant, *ask)
    (one,) = found.sensors
    assert (one.name, one.sensor_type, one.hours, one.readings) == (
        "temperature", "temperature", 2, 3
    )  # fmt: skip
    assert (one.flags.rate, one.flags.gap, one.valid_share) == (2, 0, 1 / 3)
    assert found.score == one.score == pytest.approx(3 / 360 / 3 / 2)
    other = await quality.of_device(bench.api, bench.tenant, bench.devices[1], span, now_us)
    assert (other.score, other.sensors[0].hours) == (None, 0)
    await bench.fetch("truncate iot.sensor_data")
    archived = await of_sensor(bench, 0, 0, 1, 1)
    assert (archived.hours[0].readings, archived.hours[0].flags) == (3, None)
    await bench.fetch("update iot.sensors set sensitive = true")
    hidden = await quality.of_device(bench.api, bench.tenant, *ask)
    assert (hidden.score, hidden.sensors) == (None, ())


async def test_a_sensor_that_measures_once_a_day_owes_no_reading_each_hour(bench) -> None:
    await bench.fetch("update iot.sensors set sampling_interval = '1 day'")
    engine = await bench.engine("stream", START_US)
    for day in range(2):
        await store(bench, engine, START_US + day * 24 * HOUR_US, [20.0 + day])
    await rollups.refresh(bench.worker, START_US + 25 * HOUR_US)
    found = await of_sensor(bench, 0, 0, 25, 25)
    assert [hour.score for hour in found.hours] == [1.0, 1.0]


async def test_readings_with_a_flag(bench) -> None:
    engine = await bench.engine("stream", START_US)
    await store(bench, engine, START_US, [20.0, 40.0, 20.0, 20.0])
    await store(bench, engine, START_US + HOUR_US, [120.0])
    span = Span(START_US, START_US + 2 * HOUR_US)
    ask = (bench.api, bench.tenant, bench.sensors[0], span)
    every = await quality.flagged(*ask, None, 10)
    assert [one.flags for one in every.readings] == [("rate",), ("rate",), ("range", "gap")]
    assert [one.quality for one in every.readings] == [2, 2, 9]
    assert (every.readings[0].value, every.readings[0].t_us) == (40.0, START_US + 10 * SECOND_US)
    assert (every.unit, every.complete) == ("°C", True)
    gaps = await quality.flagged(*ask, "gap", 1)
    assert ([one.value for one in gaps.readings], gaps.complete) == ([120.0], True)
    first = await quality.flagged(*ask, "rate", 1)
    assert ([one.value for one in first.readings], first.complete) == ([40.0], False)


async def test_too_much_and_nothing(bench) -> None:
    long = Span(START_US, START_US + 32 * 24 * HOUR_US)
    short = Span(START_US, START_US + HOUR_US)
    for sensor in (bench.sensors[0], uuid.uuid4()):
        with pytest.raises(InvalidError, match="31 days"):
            await quality.of_sensor(bench.api, bench.tenant, sensor, long, START_US)
    with pytest.raises(NotFoundError):
        await quality.of_sensor(bench.api, bench.tenant, uuid.uuid4(), short, START_US)
    with pytest.raises(NotFoundError):
        await quality.of_device(bench.api, bench.tenant, uuid.uuid4(), short, START_US)
    await bench.fetch(
        "insert into iot.sensors (organization_id, device_id, name, position, sensor_type, unit,"
        " value_min, value_max, resolution, sampling_interval) select organization_id, device_id,"
        " 's' || n, n, 1, '', 0, 1, 0, '1s' from iot.sensors, generate_series(1, 9) as n"
    )
    month = Span(START_US, START_US + 31 * 24 * HOUR_US)
    with pytest.raises(InvalidError, match="10 sensors; ask for 500 hours"):
        await quality.of_device(bench.api, bench.tenant, bench.devices[0], month, START_US)


async def test_an_answer_reads_the_partitions_of_its_span_alone(pool_as, owner) -> None:
    for month in range(1, 13):
        await owner.fetchval(
            "select iot.ensure_partition(make_timestamptz(2026, $1, 1, 0, 0, 0), 1::smallint)",
            month,
        )
    since, until = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC)
    questions = {
        "quality_hours": (uuid.uuid4(), since, until, 1),
        "flagged_readings": (uuid.uuid4(), 1, since, until, 8, 10),
    }
    pool = await pool_as("iot_api")
    for name, values in questions.items():
        sql = getattr(quality._queries, name).sql
        async with transaction(pool, Tenant(uuid.uuid4())) as conn:
            plan = "\n".join(row[0] for row in await conn.fetch(f"explain {sql}", *values))
        read = set(re.findall(r"\bsensor_data_2026_\d+_type_\d+\b(?!_)", plan))
        assert read == {"sensor_data_2026_03_type_1"}, plan
        assert not re.search(r"Seq Scan on sensor_data", plan), plan


async def test_over_http(platform) -> None:
    """A day's readings of a service; its worker has made no hours of them yet."""
    tenant = await platform.tenant(NewDevice(serial_number="q1", device_type="thermometer"))
    begin_us = (wall_now_us() // SECOND_US - 600) * SECOND_US
    readings = [
        {"sensor": "temperature", "t": begin_us + at * SECOND_US, "v": value}
        for at, value in ((0, 20.0), (10, 60.0), (300, 60.0))
    ]
    assert (await platform.post(tenant.token("q1"), readings)).body["accepted"] == 3
    span = (begin_us, begin_us + HOUR_US)
    sensor_id, device_id = tenant.sensor("q1"), tenant.devices["q1"].device_id
    async with Client(platform.url, tenant.api_key) as client:
        found = await client.flagged_readings(sensor_id, *span)
        assert [one.flags for one in found.readings] == [("rate",), ("gap",)]
        gaps = await client.flagged_readings(sensor_id, *span, "gap")
        assert [one.t_us for one in gaps.readings] == [begin_us + 300 * SECOND_US]
        assert (await client.sensor_quality(sensor_id, *span)).hours == ()
        assert (await client.device_quality(device_id, *span)).score is None
        with pytest.raises(ApiError, match="31 days"):
            await client.sensor_quality(sensor_id, 0, 32 * 24 * HOUR_US)
        shown = await client._send("GET", f"/v1/sensors/{sensor_id}", None, dict)
    assert (shown["interval_s"], shown["rate_max"], shown["flat_after_s"]) == (10, 0.5, 3600)
    query = urlencode({"since_us": span[0], "until_us": span[1], "flag": "wet"})
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    path = f"/v1/sensors/{sensor_id}/flagged-readings?{query}"
    odd = await platform.request("GET", path, headers, b"")
    assert (odd.status, odd.body["code"]) == (422, "invalid")
