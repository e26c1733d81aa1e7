"""Closed hours kept in either way are the same, and shown to those alone who see their sensors."""

import uuid
from typing import Any

import asyncpg
import numpy as np
import pytest

from fleetplatform.admin import SettingsError
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.settings import EncryptionKeys
from fleetplatform.timeseries import rollups
from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.timeseries.rollups.kinds import incremental

HOUR_US = 3_600_000_000
JUNE_US = 1_780_272_000_000_000
"""2026-06-01T00:00:00Z."""
SENSORS = 12
HOURS = 9
SECRET = 5
"""The sensor that is sensitive."""
KEYS = EncryptionKeys(active="k", keys={"k": bytes(range(32))})
SEED = 20261126
KEPT = "select * from iot.sensor_hours order by sensor_id, hour_start"
TOUCHED = """
insert into iot.rollup_hours (organization_id, hour_start, sensor_id)
select organization_id, hour_start, sensor_id from iot.sensor_hourly_aggregates
"""
GROUP = """
with made as (
    insert into iot.device_groups (organization_id, name, kind)
    select organization_id, 'g', 'static' from iot.organizations returning *
)
insert into iot.device_group_members (organization_id, group_id, device_id)
select organization_id, group_id, device_id
from iot.devices join made using (organization_id) where serial_number = 'd2'
returning organization_id, group_id
"""
CALIBRATED_ANEW = """
with entered as (
    insert into iot.sensor_calibrations
        (organization_id, sensor_id, multiplier, offset_value, valid_from)
    select organization_id, sensor_id, 0.5, 3, $1 from iot.sensors where position = 0 and
        device_id in (select device_id from iot.devices where serial_number = any ($2))
    returning organization_id, sensor_id
)
select organization_id, sensor_id from entered
"""


async def choose(bench: Any, kind: str) -> None:
    owner = await asyncpg.connect(bench.owner_url)
    try:
        await rollups.choose(owner, kind)
    finally:
        await owner.close()


@pytest.fixture
async def bench(make_engine_bench):
    made = await make_engine_bench(SENSORS)
    await made.fetch(
        "update iot.sensors set sensitive = true where device_id ="
        " (select device_id from iot.devices where serial_number = $1)", f"d{SECRET}",
    )  # fmt: skip
    return made


@pytest.fixture
async def worker(bench, make_settings):
    pool = await open_pool(bench.urls["iot_worker"], make_settings().database, "iot_worker")
    yield pool
    await pool.close()


async def play(bench: Any, worker: Pool, random: np.random.Generator) -> int:
    """Hours of readings, many of them late, again or calibrated anew later; the virtual time."""
    engine = await bench.engine("stream", JUNE_US, KEYS)
    now_us, sent = JUNE_US, [(0, JUNE_US + 5, 1.0)]
    for hour in range(1, HOURS + 1):
        now_us = JUNE_US + hour * HOUR_US + 7
        for late in (False, True):
            begin = 0 if late else hour - 1
            sensor = random.integers(0, SENSORS, 60).astype(np.int32)
            t_us = JUNE_US + begin * HOUR_US + random.integers(
                0, (hour - begin) * 3600, 60
            ) * 1_000_000
            value = np.round(random.normal(20, 40, 60), 3)
            await bench.store_columns(engine, sensor, t_us, value, now_us)
            sent += zip(sensor.tolist(), t_us.tolist(), value.tolist(), strict=True)
        again = [sent[int(n)] for n in random.integers(0, len(sent), 20)]
        await bench.store(engine, again, now_us + 1)
        if hour % 2:
            await rollups.refresh(worker, now_us + 2)
        if hour == HOURS // 2:
            await recalibrate(bench, worker, JUNE_US + 2 * HOUR_US)
    return now_us + 100_000_000


async def recalibrate(bench: Any, worker: Pool, from_us: int) -> None:
    rows = await bench.fetch(CALIBRATED_ANEW, to_datetime(from_us), ["d2", "d3", "d7"])
    for row in rows:
        changed = await worker.fetchval(
            "select rows_changed from iot.recalibrate($1, $2, $3, $4, 10000)",
            row["organization_id"], row["sensor_id"], to_datetime(0),
            to_datetime(JUNE_US + HOURS * HOUR_US),
        )  # fmt: skip
        assert changed > 0


def check_same(ones: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Ids, times and counts exactly, floats within 1e-9."""
    assert len(ones) == len(others) > HOURS * SENSORS // 2
    for one, other in zip(ones, others, strict=True):
        for name, value in one.items():
            if isinstance(value, float):
                assert value == pytest.approx(other[name], rel=1e-9, abs=1e-9), (name, one, other)
            else:
                assert value == other[name], (name, one, other)


async def test_both_kinds_hold_the_same(bench, worker: Pool):
    """Late data, duplicates, recalibration; and after each switch everything is made anew."""
    with pytest.raises(SettingsError, match=r"rollups\.kind: no kind 'none'.*incremental, mat"):
        await choose(bench, "none")
    now_us = await play(bench, worker, np.random.default_rng(SEED))
    await rollups.refresh(worker, now_us)
    kept = await bench.fetch(KEPT)
    assert kept == await bench.fetch(KEPT.replace("sensor_hours", "sensor_hourly_aggregates"))
    (secret,) = await bench.fetch("select sensor_id from iot.sensors where sensitive")
    assert secret["sensor_id"] not in {row["sensor_id"] for row in kept}
    assert sum(row["reading_count"] for row in kept) > 500
    await choose(bench, "materialized_view")
    assert await bench.fetch(KEPT) == []
    await rollups.refresh(worker, now_us)
    viewed = await bench.fetch(KEPT)
    check_same(viewed, kept)
    days = await bench.fetch("select * from iot.sensor_daily_aggregates")
    assert sum(day["reading_count"] for day in days) == sum(r["reading_count"] for r in kept)
    await bench.fetch("truncate iot.sensor_hourly_aggregates")
    await choose(bench, "incremental")
    assert await rollups.refresh(worker, now_us) == len(kept)
    check_same(await bench.fetch(KEPT), viewed)


async def test_a_materialised_view_shows_what_is_seen_of_its_sensors(
    bench, worker: Pool, make_settings
):
    """Once refreshed: a stranger sees nothing, who is limited to a group its devices."""
    await choose(bench, "materialized_view")
    engine = await bench.engine("stream", JUNE_US)
    await bench.store(engine, [(n, JUNE_US + 5, float(n)) for n in range(4)], JUNE_US + 10)
    await rollups.refresh(worker, JUNE_US + HOUR_US - 1)
    assert await bench.fetch(KEPT) == []
    await rollups.refresh(worker, JUNE_US + HOUR_US)
    await bench.store(engine, [(0, JUNE_US + 6, 3.0)], JUNE_US + HOUR_US + 1)
    await rollups.refresh(worker, JUNE_US + HOUR_US + 2)
    (row,) = await bench.fetch(GROUP)
    whoever = {
        "mine": Tenant(row["organization_id"]),
        "limited": Tenant(row["organization_id"], device_groups=(row["group_id"],)),
        "stranger": Tenant(uuid.uuid4()),
        "none": None,
    }
    pool = await open_pool(bench.urls["iot_api"], make_settings().database, "iot_api")
    shown: dict[str, list[list[float]]] = {name: [] for name in whoever}
    for name, tenant in whoever.items():
        async with transaction(pool, tenant) as conn:
            for relation in ("sensor_hours", "sensor_daily_aggregates"):
                rows = await conn.fetch(f"select mean_value from iot.{relation} order by 1")
                shown[name].append([row["mean_value"] for row in rows])
            if name != "mine":
                # Of the hour whose mean is 3 this would be a division by zero.
                await conn.fetch(
                    "select from iot.sensor_hours where 1 / (mean_value::int - 3) > 5"
                )
    assert shown == {
        "mine": [[1.25, 1.5, 2.0, 3.0]] * 2, "limited": [[2.0]] * 2,
        "stranger": [[], []], "none": [[], []],
    }  # fmt: skip
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.fetch("select * from iot_private.materialized_hours")
    await bench.fetch("analyze iot_private.materialized_hours")
    assert await pool.fetch("select from pg_stats where tablename = 'materialized_hours'") == []
    await pool.close()


async def test_an_hour_that_cannot_be_made_holds_up_no_other(bench, worker: Pool):
    engine = await bench.engine("stream", JUNE_US)
    readings = [(0, JUNE_US + hour * HOUR_US, float(hour)) for hour in range(3)]
    await bench.store(engine, readings, JUNE_US + 4 * HOUR_US)
    await bench.fetch(
        "alter table iot.sensor_hourly_aggregates add constraint odd check (mean_value <> 1)"
    )
    assert await rollups.refresh(worker, JUNE_US + 5 * HOUR_US) == 2
    assert [row["mean_value"] for row in await bench.fetch(KEPT)] == [0.0, 2.0]
    await bench.fetch("alter table iot.sensor_hourly_aggregates drop constraint odd")
    await incremental.make_closed(worker, JUNE_US + 5 * HOUR_US)
    assert [row["mean_value"] for row in await bench.fetch(KEPT)] == [0.0, 1.0, 2.0]


async def test_an_hour_without_readings_goes_unless_retention_took_them(
    bench, worker: Pool, monkeypatch
):
    """Made of few sensors or of the whole hour; what is late below the floor changes nothing."""
    engine = await bench.engine("stream", JUNE_US)
    readings = [(n, JUNE_US + hour * HOUR_US, 1.0) for hour in range(4) for n in (0, 2, 4)]
    now_us = JUNE_US + 9 * HOUR_US
    await bench.store(engine, readings, now_us)
    await choose(bench, "materialized_view")
    await choose(bench, "incremental")
    assert not await raised(worker, None, JUNE_US + 30)
    assert await rollups.refresh(worker, now_us) == 12
    sensors = sorted({row["sensor_id"] for row in await bench.fetch(KEPT)})
    for sensor, whole_share in zip(sensors, (0, 1_000), strict=False):
        monkeypatch.setattr(incremental, "WHOLE_SHARE", whole_share)
        assert not await raised(worker, [sensor], now_us + HOUR_US)
        assert await raised(worker, [sensor], JUNE_US + HOUR_US + 1)
        assert await raised(worker, [sensor], JUNE_US)
        await bench.fetch("delete from iot.sensor_data where sensor_id = $1", sensor)
        await bench.fetch(TOUCHED)
        assert not await raised(worker, [sensor], JUNE_US + 2 * HOUR_US)
        await incremental.make_closed(worker, now_us)
        kept = await bench.fetch(KEPT)
        of_sensor = [row["hour_start"] for row in kept if row["sensor_id"] == sensor]
        # The hour that the floor cuts keeps its aggregate too.
        assert of_sensor == [to_datetime(JUNE_US), to_datetime(JUNE_US + HOUR_US)]
        assert sum(row["sensor_id"] == sensors[2] for row in kept) == 4
        assert await bench.fetch("select * from iot.rollup_hours") == []
    late = [(0, JUNE_US + 77, 99.0), (0, JUNE_US + 2 * HOUR_US, 5.0)]
    await bench.store(engine, late, now_us + 1)
    await rollups.refresh(worker, now_us + 2)
    found = await bench.fetch(KEPT)
    assert [row["mean_value"] for row in found if row["sensor_id"] == sensors[0]] == [1, 1, 5]


async def raised(worker: Pool, sensors: list[Any] | None, before_us: int) -> bool:
    """Whether retention may take what was measured before."""
    answer: bool = await worker.fetchval(
        "select iot.raise_rollup_floor(null, null, $1, $2)", sensors, to_datetime(before_us)
    )
    return answer
