"""Readings calibrated again are what they would be if they came now, whatever happens meanwhile."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import msgspec
import numpy as np
import pytest

from fleetconf.units import parse
from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.ingest.engines import make_engine
from fleetplatform.ingest.submission import Submission, gather
from fleetplatform.processing.calibration import calibrate
from fleetplatform.processing.quality import judge_range
from fleetplatform.registry import (
    calibration_history,
    device_types,
    devices,
    organizations,
    reprocessing,
)
from fleetplatform.registry.calibrations import ALWAYS_US, NEVER_US, Calibrations, Entered
from fleetplatform.registry.directory import Directory
from fleetplatform.registry.identifiers import halves_of
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.calibrations import Interval, NewSensorCalibration
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
START_US = int(parse("2026-06-15T00:00:00Z", "instant") or 0)
SPAN_US = 40 * DAY_US
LAYOUTS = ("monthly_list", "monthly", "daily", "single", "seed")
SEED = 11


class Bench:
    """Thermometers with readings over forty days, stored by the engine as they come."""

    def __init__(self, pools: dict[str, Any], owner: asyncpg.Connection, tenant: Tenant) -> None:
        self.pools = pools
        self.owner = owner
        self.tenant = tenant
        self.directory = Directory()
        self.sensor_ids: list[Any] = []

    async def store(self, engine: Any, sensor: Any, t_us: Any, values: Any) -> None:
        await self.directory.refresh(self.pools["iot_ingest"])
        at = self.directory.find_sensors(*halves_of(self.sensor_ids))[sensor]
        arrivals = gather([Submission(0, at, t_us, values)], START_US + SPAN_US)
        await engine.load(self.pools["iot_ingest"], START_US + SPAN_US)
        await engine.store(self.pools["iot_ingest"], arrivals, np.arange(len(arrivals)))

    async def calibrate(self, sensor: int, **what: Any) -> None:
        new = NewSensorCalibration(**what)
        await calibration_history.add(
            self.pools["iot_api"], self.tenant, self.sensor_ids[sensor], new
        )

    async def reprocess(self, sensor: int, from_us: int, to_us: int, rows_max: int) -> Any:
        """Ask, and do all of it."""
        interval = Interval(from_us=from_us, to_us=to_us)
        api = self.pools["iot_api"]
        job = await reprocessing.ask(api, self.tenant, self.sensor_ids[sensor], interval)
        while await reprocessing.advance(self.pools["iot_worker"], rows_max, 0.0):
            pass
        return await reprocessing.read(api, self.tenant, job.job_id)

    async def rows(self) -> list[Any]:
        return await self.owner.fetch(
            "select sensor_id, measurement_timestamp, measurement_value, raw_value, data_quality,"
            " is_anomaly, anomaly_score, received_at from iot.sensor_data"
            " order by sensor_id, measurement_timestamp"
        )

    async def expected(self, rows: list[Any]) -> list[tuple[Any, ...]]:
        """Value, raw value and the two bits as the engine's own arrays have them now."""
        await self.directory.refresh(self.pools["iot_ingest"])
        sensor = self.directory.find_sensors(*halves_of([row["sensor_id"] for row in rows]))
        sent = [
            row["measurement_value"] if row["raw_value"] is None else row["raw_value"]
            for row in rows
        ]
        measured = np.array([to_us(row["measurement_timestamp"]) for row in rows])
        value, raw, overdue = calibrate(
            np.array(sent), sensor, measured, self.directory.calibrations
        )
        limits = self.directory.value_min[sensor], self.directory.value_max[sensor]
        quality = judge_range(value, *limits) | np.where(overdue, 64, 0)
        kept = [None if np.isnan(one) else one for one in raw.tolist()]
        return list(zip(value.tolist(), kept, quality.tolist(), strict=True))


def told(rows: list[Any]) -> list[tuple[Any, ...]]:
    return [
        (row["measurement_value"], row["raw_value"], row["data_quality"] & 65) for row in rows
    ]


@pytest.fixture
async def make_bench(
    database_url: str, make_settings: Any, specification: Any
) -> AsyncIterator[Callable[..., Awaitable[tuple[Bench, Any]]]]:
    """A database of some layout with three thermometers, and an engine on it."""
    async with AsyncExitStack() as stack:

        async def make(layout: str) -> tuple[Bench, Any]:
            settings = make_settings(layout)
            prepared = await prepare_database(database_url, settings)
            pools = {}
            for role, url in prepared.urls.items():
                pools[role] = await open_pool(url, settings.database, role)
                stack.push_async_callback(pools[role].close)
            owner = await asyncpg.connect(prepared.owner_url)
            stack.push_async_callback(owner.close)
            await device_types.put(pools["iot_api"], specification("thermometer"))
            made = await organizations.create(pools["iot_api"], NewOrganization(name="one"))
            bench = Bench(pools, owner, Tenant(made.organization_id))
            line = NewCalibration(sensor="temperature", multiplier=1.02, offset=-0.3)
            new = [
                NewDevice(
                    serial_number=f"d{n}", device_type="thermometer",
                    calibrations=(line,) if n == 1 else (),
                )
                for n in range(3)
            ]  # fmt: skip
            enrolled = await devices.enrol(pools["iot_api"], bench.tenant, new)
            bench.sensor_ids = [one.sensor_ids[0] for one in enrolled.devices]
            await bench.directory.refresh(pools["iot_ingest"])
            return bench, make_engine(settings, bench.directory)

        yield make


async def fill(bench: Bench, engine: Any, count: int, seed: int) -> None:
    """Readings of all sensors, some of them beyond what a polynomial can hold."""
    rng = np.random.default_rng(seed)
    sensor = np.repeat(np.arange(3, dtype=np.int32), count)
    t_us = np.concatenate([
        START_US + np.sort(rng.choice(SPAN_US // 1_000_000, count, replace=False)) * 1_000_000
        for _ in range(3)
    ])  # fmt: skip
    values = rng.normal(20, 30, 3 * count)
    values[:: count // 3] *= rng.choice([1e300, -1e300, 1e-320, 1e60], len(values[:: count // 3]))
    await bench.store(engine, sensor, t_us, values)


def random_calibration(rng: np.random.Generator) -> dict[str, Any]:
    from_us = START_US + int(rng.integers(-DAY_US, SPAN_US))
    due_us = from_us + int(rng.integers(1, 20 * DAY_US)) if rng.random() < 0.5 else None
    numbers = rng.normal(0, 1, int(rng.integers(2, 7)))
    shape: dict[str, Any] = {"coefficients": tuple(numbers.tolist())}
    if rng.random() < 0.3:
        shape = {"multiplier": 1.0, "offset": 0.0}
    return shape | {"valid_from_us": from_us, "due_at_us": due_us}


async def test_rows_become_what_they_would_be_if_they_came_now(make_bench) -> None:
    """Random histories, again and again; equal to numpy to the last bit."""
    print(f"seed {SEED}")
    rng = np.random.default_rng(SEED)
    bench, engine = await make_bench("monthly_list")
    await fill(bench, engine, 300, SEED)
    before = await bench.rows()
    assert told(before) == await bench.expected(before)
    for _ in range(6):
        for sensor in rng.integers(0, 3, 3).tolist():
            await bench.calibrate(sensor, **random_calibration(rng))
        for sensor in range(3):
            job = await bench.reprocess(sensor, START_US, START_US + SPAN_US, 70)
            assert (job.state, job.rows_done) == ("done", 300)
        rows = await bench.rows()
        assert told(rows) == await bench.expected(rows)
    changed = sum(a != b for a, b in zip(told(before), told(rows), strict=True))
    assert changed > 300
    for old, new in zip(before, rows, strict=True):
        assert old["data_quality"] & ~65 == new["data_quality"] & ~65
        kept = ("sensor_id", "is_anomaly", "anomaly_score", "received_at")
        assert [old[name] for name in kept] == [new[name] for name in kept]


async def test_sql_and_arrays_calibrate_to_the_same_bits(owner: asyncpg.Connection) -> None:
    """Over all magnitudes: what overflows, what vanishes, and what lies between."""
    print(f"seed {SEED}")
    rng = np.random.default_rng(SEED)
    count = 3000
    magnitudes = rng.choice([-320, -200, -3, 0, 2, 160, 307], (count, 7))
    numbers = rng.normal(0, 1, (count, 7)) * 10.0**magnitudes
    numbers[rng.random((count, 7)) < 0.1] = 0.0
    raw, offset, multiplier, higher = numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3:]
    degree = rng.integers(0, 5, count)
    higher[np.arange(4) >= degree[:, None]] = 0.0
    higher[degree > 0, degree[degree > 0] - 1] += 1.0
    multiplier[(degree == 0) & (multiplier == 0)] = 2.0
    sensor = np.arange(count, dtype=np.int32)
    always, never = np.full(count, ALWAYS_US), np.full(count, NEVER_US)
    entered = Entered(sensor, always, never, multiplier, offset, higher)
    history = Calibrations.empty().extended(count, entered)
    expected = calibrate(raw, sensor, np.zeros(count, np.int64), history).value
    found = await owner.fetch(
        "select iot.calibrated(x, m, o, h::float8[]) from unnest($1::float8[], $2::float8[],"
        " $3::float8[], $4::text[]) with ordinality as t (x, m, o, h, place) order by place",
        raw.tolist(), multiplier.tolist(), offset.tolist(),
        ["{" + ",".join(map(repr, h[:d])) + "}" if d else None
         for h, d in zip(higher.tolist(), degree.tolist(), strict=True)],
    )  # fmt: skip
    assert [row[0] for row in found] == expected.tolist()
    assert np.isinf(expected).sum() > 100
    assert (expected == 0).sum() > 0


async def test_what_was_on_its_way_is_found_by_the_second_pass(make_bench) -> None:
    bench, engine = await make_bench("monthly_list")
    await fill(bench, engine, 30, 3)
    await bench.calibrate(0, multiplier=3.0, valid_from_us=START_US)
    api, worker_pool = bench.pools["iot_api"], bench.pools["iot_worker"]
    interval = Interval(from_us=START_US, to_us=START_US + SPAN_US)
    asked = await reprocessing.ask(api, bench.tenant, bench.sensor_ids[0], interval)
    while await reprocessing.advance(worker_pool, 7, 3600.0):
        pass
    assert (await reprocessing.read(api, bench.tenant, asked.job_id)).state == "settling"
    stale = await bench.owner.execute(
        "update iot.sensor_data set measurement_value = raw_value, raw_value = null"
        " where sensor_id = $1 and measurement_timestamp < '2026-06-20Z'", bench.sensor_ids[0]
    )  # fmt: skip
    assert stale != "UPDATE 0"
    await bench.owner.execute("update iot.reprocessing_jobs set settle_from = now()")
    while await reprocessing.advance(worker_pool, 7, 3600.0):
        pass
    job = await reprocessing.read(api, bench.tenant, asked.job_id)
    assert (job.state, job.rows_done) == ("done", 30)
    assert f"UPDATE {job.rows_changed - 30}" == stale
    rows = await bench.rows()
    assert told(rows) == await bench.expected(rows)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_the_interval_alone_is_done_in_every_layout(make_bench, layout: str) -> None:
    bench, engine = await make_bench(layout)
    await fill(bench, engine, 60, 3)
    before = await bench.rows()
    await bench.calibrate(0, coefficients=(1.0, 2.0, 0.5), valid_from_us=START_US)
    from_us, to_us_ = to_us(before[20]["measurement_timestamp"]), START_US + SPAN_US
    sensor = bench.sensor_ids.index(before[20]["sensor_id"])
    assert sensor == 0
    job = await bench.reprocess(0, from_us, to_us_, 7)
    assert (job.rows_done, job.rows_changed) == (40, 40)
    rows = await bench.rows()
    expected = await bench.expected(rows)
    assert told(rows) == [*told(before)[:20], *expected[20:60], *told(before)[60:]]
    await bench.reprocess(0, START_US, to_us_, 7)
    assert (await bench.reprocess(0, START_US, to_us_, 1000)).rows_changed == 0
    rows = await bench.rows()
    assert told(rows) == await bench.expected(rows)


async def test_a_piece_reads_the_partitions_of_its_interval_alone_by_the_unique_key(
    make_bench,
) -> None:
    """The plan of the very statement that runs, as auto_explain logs it."""
    bench, engine = await make_bench("monthly_list")
    await fill(bench, engine, 60, 3)
    later = START_US + np.arange(1, 6) * 62 * DAY_US
    for t_us in later.tolist():
        await bench.store(engine, np.zeros(1, np.int32), np.array([t_us]), np.array([1.0]))
    logged: list[str] = []
    bench.owner.add_log_listener(lambda _, message: logged.append(message.message))
    await bench.owner.execute(
        "load 'auto_explain'; set auto_explain.log_min_duration = 0;"
        " set auto_explain.log_nested_statements = on; set auto_explain.log_format = json;"
        " set client_min_messages = log; set plan_cache_mode = force_generic_plan"
    )
    await bench.owner.fetch(
        "select * from iot.recalibrate($1, $2, '2026-06-16Z', '2026-06-20Z', 50)",
        bench.tenant.organization, bench.sensor_ids[0],
    )  # fmt: skip
    plans = [text for text in logged if "sensor_data" in text and "recalibrate(" not in text]
    assert len(plans) == 2
    node = re.compile(
        r'"Node Type": "([\w ]+)"(?:(?!"Node Type").)*?"Relation Name": "(sensor_data\w+)"', re.S
    )
    found = [scan for text in plans for scan in node.findall(text)]
    kinds = {kind for kind, _ in found if kind != "ModifyTable"}
    assert kinds <= {"Index Scan", "Index Only Scan"}
    assert {name for _, name in found} == {"sensor_data_2026_06_type_1"}


async def test_a_job_that_fails_again_and_again_is_given_up(make_bench) -> None:
    bench, engine = await make_bench("single")
    await fill(bench, engine, 30, 3)
    await bench.owner.execute("alter table iot.sensor_data add check (raw_value is null) not valid")
    await bench.calibrate(0, multiplier=2.0)
    job = await bench.reprocess(0, START_US, START_US + SPAN_US, 7)
    for _ in range(reprocessing.FAILURES_MAX - 1):
        assert (job.state, job.finished_at_us) == ("waiting", None)
        assert not await reprocessing.advance(bench.pools["iot_worker"], 7, 0.0)
        job = await reprocessing.read(bench.pools["iot_api"], bench.tenant, job.job_id)
    assert job.state == "failed"
    assert job.finished_at_us is not None


@pytest.mark.campaign
async def test_a_killed_worker_is_followed_by_one_that_goes_on(
    start_service, owner_of, eventually
) -> None:
    """Under live ingest: at the end every reading is calibrated by the new curve, once."""
    service = await start_service(roles="ingest+api")
    tenant = await service.tenant(NewDevice(serial_number="t1", device_type="thermometer"))
    owner = await owner_of(service)
    sensor, now = tenant.sensor("t1"), wall_now_us()
    readings = [
        {"sensor": "temperature", "t": now - HOUR_US + k * 1000, "v": k * 0.5} for k in range(3000)
    ]
    assert (await service.post(tenant.token("t1"), readings)).body["accepted"] == 3000
    slow = await worker(service, reprocess_rows=10)
    job_id = await new_curve_and_job(service, tenant, sensor, now)
    live = asyncio.create_task(keep_sending(service, tenant, now))
    states = "select job_state, rows_done from iot.reprocessing_jobs where job_id = $1"

    async def begun() -> bool:
        return (await owner.fetchrow(states, job_id))["rows_done"] > 0

    await eventually(begun)
    await slow.kill()
    state, done = await owner.fetchrow(states, job_id)
    assert (state, 0 < done < 3000) == ("running", True)
    second = await worker(service, reprocess_rows=500)

    async def ended() -> bool:
        return (await owner.fetchrow(states, job_id))["job_state"] == "done"

    await eventually(ended)
    sent = await live
    await second.kill()
    rows = await owner.fetch(
        "select measurement_value as value, raw_value as raw from iot.sensor_data"
        " where sensor_id = $1", sensor
    )  # fmt: skip
    assert len(rows) == 3000 + sent
    assert all(row["value"] == (0.25 * row["raw"] + 2.0) * row["raw"] + 1.0 for row in rows)


async def worker(service: Any, **changes: Any) -> Any:
    """Another process beside a service, with the role worker."""
    platform = service.settings.platform
    jobs = msgspec.structs.replace(
        platform.worker, reprocess_interval=0.05, reprocess_settle=1.0, **changes
    )
    settings = msgspec.structs.replace(
        service.settings, port=0, platform=msgspec.structs.replace(platform, worker=jobs)
    )
    other = type(service)("worker", settings, service.log_path.parent)
    await other.spawn()
    return other


async def new_curve_and_job(service: Any, tenant: Any, sensor: Any, now: int) -> Any:
    headers = {"Authorization": f"Bearer {tenant.api_key}", "Content-Type": "application/json"}
    curve = msgspec.json.encode({"coefficients": [1.0, 2.0, 0.25]})
    path = f"/v1/sensors/{sensor}"
    answer = await service.request("POST", f"{path}/calibrations", headers, curve)
    assert answer.status == 201, answer
    interval = msgspec.json.encode({"from_us": now - HOUR_US, "to_us": now + HOUR_US})
    answer = await service.request("POST", f"{path}/reprocess", headers, interval)
    assert answer.status == 202, answer
    return answer.body["job_id"]


async def keep_sending(service: Any, tenant: Any, now: int) -> int:
    """Readings in the interval while the job runs; how many."""
    for batch in range(40):
        body = [
            {"sensor": "temperature", "t": now - HOUR_US // 2 + batch * 1000 + k, "v": k}
            for k in range(10)
        ]
        assert (await service.post(tenant.token("t1"), body)).body["accepted"] == 10
    return 400
