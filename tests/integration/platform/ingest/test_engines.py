"""The engines `row` and `stream`: the same rows and alerts, and how `row` gets at its baseline."""

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import numpy as np
import pytest

from fleetconf.units import parse
from fleetplatform.admin import prepare_database
from fleetplatform.alerting.life import sensor_id
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.ingest.engines import Engine, Stored, make_engine
from fleetplatform.ingest.submission import Submission, gather
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.registry.directory import Directory
from fleetplatform.settings import PlatformSettings
from fleetplatform.wire.device_type import DeviceTypeSpecification, SensorSpecification
from fleetplatform.wire.resources import NewCalibration, NewDevice, NewOrganization

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
START_US = int(parse("2026-06-30T00:00:00Z", "instant") or 0)
THERMOMETER = DeviceTypeSpecification(
    name="thermometer",
    version="1",
    description="",
    sensors={
        "temperature": SensorSpecification(
            type="temperature", unit="°C", min=-40, max=85, resolution=0.01, interval=10
        )
    },
)
RULES = """
insert into iot.alert_rules (organization_id, name, conditions, severity, sensor_type)
select organization_id, r.name, r.conditions::jsonb, 'warning', r.sensor_type
from iot.organizations, (values
    ('hot', '{"threshold_high": 30}', null),
    ('between', '{"threshold_high": 20, "threshold_low": 22}', 1::smallint),
    ('humid', '{"threshold_high": 0}', 2::smallint)
) as r (name, conditions, sensor_type)
"""
ROWS = """
select s.position, d.serial_number, r.measurement_timestamp, r.measurement_value, r.raw_value,
    r.data_quality, r.is_anomaly, r.anomaly_score, r.measurement_metadata, r.received_at
from iot.sensor_data as r
join iot.sensors as s using (sensor_id)
join iot.devices as d on d.device_id = r.device_id
order by d.serial_number, r.measurement_timestamp
"""
ALERTS = """
select r.name, d.serial_number, a.alert_status, a.alert_timestamp, a.trigger_value, a.resolved_at,
    (select array_agg(e.event order by e.occurred_at, e.event_id)
     from iot.alert_events as e where e.alert_id = a.alert_id) as events
from iot.alerts as a
join iot.alert_rules as r using (rule_id)
join iot.devices as d on d.device_id = a.device_id
order by r.name, d.serial_number, a.alert_timestamp
"""


class Bench:
    """An engine over a database with three thermometers, one of them calibrated."""

    def __init__(
        self,
        engine: Engine,
        pool: Pool,
        directory: Directory,
        owner_url: str,
        stream_settings: PlatformSettings,
    ) -> None:
        self.settings = stream_settings
        self.engine = engine
        self.pool = pool
        self.directory = directory
        self.owner_url = owner_url

    async def store(self, readings: list[tuple[int, int, float]], received_us: int) -> Stored:
        """One batch of (sensor, time, value), in order of arrival."""
        sensors, times, values = zip(*readings, strict=True)
        submission = Submission(0, list(sensors), list(times), list(values))
        arrivals = gather([submission], received_us)
        return await self.engine.store(self.pool, arrivals, np.arange(len(arrivals)))

    async def fetch(self, query: str) -> list[dict[str, object]]:
        """Rows, as the owner."""
        conn = await asyncpg.connect(self.owner_url)
        try:
            return [dict(row) for row in await conn.fetch(query)]
        finally:
            await conn.close()


MakeBench = Callable[[str, str], Awaitable[Bench]]


@pytest.fixture
async def make_bench(make_settings: Callable[..., PlatformSettings]) -> MakeBench:
    async with AsyncExitStack() as stack:

        async def make(url: str, kind: str) -> Bench:
            settings = make_settings(engine=kind)
            prepared = await prepare_database(url, settings)
            pools = []
            for role in ("iot_api", "iot_ingest"):
                pools.append(await open_pool(prepared.urls[role], settings.database, role))
                stack.push_async_callback(pools[-1].close)
            await _register(pools[0], prepared.owner_url)
            directory = Directory()
            await directory.refresh(pools[1])
            engine = make_engine(settings, directory)
            await engine.load(pools[1], START_US)
            return Bench(
                engine, pools[1], directory, prepared.owner_url, make_settings(engine="stream")
            )

        yield make


async def _register(pool: Pool, owner_url: str) -> None:
    await device_types.put(pool, THERMOMETER)
    tenant = await organizations.create(pool, NewOrganization(name="tenant"))
    calibration = NewCalibration(sensor="temperature", multiplier=1.5, offset=-0.25)
    await devices.enrol(
        pool,
        tenant.organization_id,
        [
            NewDevice(serial_number="a", device_type="thermometer"),
            NewDevice(serial_number="b", device_type="thermometer", calibrations=(calibration,)),
            NewDevice(serial_number="c", device_type="thermometer"),
        ],
    )
    conn = await asyncpg.connect(owner_url)
    await conn.execute(RULES)
    await conn.close()


def _batches() -> list[list[tuple[int, int, float]]]:
    """Two days of readings with everything that the engines must agree on."""
    rng = np.random.default_rng(5)
    batches = []
    for hour in range(27):
        batch = [
            (sensor, START_US + hour * HOUR_US + k * 60 * SECOND_US, float(value))
            for sensor in (0, 1, 2)
            for k, value in enumerate(rng.normal(21, 2, 20))
        ]
        rng.shuffle(batch)
        batches.append([(int(s), int(t), float(v)) for s, t, v in batch])
    late = [(0, START_US + HOUR_US + 30 * SECOND_US, 99.0), (1, START_US + 7 * SECOND_US, 5.0)]
    now = START_US + 27 * HOUR_US
    duplicates = [*batches[-1][:10], (0, batches[-1][0][1], 1.0)]
    extremes = [(2, now, 1e300), (2, now + 1, -1e300), (2, now + SECOND_US, 21.0)]
    same_time = [(0, now, 35.0), (0, now, 35.0), (0, now, 36.0)]
    return [*batches, late, duplicates, extremes, same_time, [(1, now + HOUR_US, 60.0)]]


async def test_both_engines_store_the_same_rows_and_alerts(
    postgres: object, database_url: str, make_bench: MakeBench
) -> None:
    row = await make_bench(database_url, "row")
    stored_by_row = [
        await row.store(batch, START_US + i * HOUR_US) for i, batch in enumerate(_batches())
    ]
    rows, alerts = await row.fetch(ROWS), await row.fetch(ALERTS)
    await _empty(row)
    stream = await make_bench(database_url, "stream")
    stored_by_stream = [
        await stream.store(batch, START_US + i * HOUR_US) for i, batch in enumerate(_batches())
    ]
    for a, b in zip(stored_by_row, stored_by_stream, strict=True):
        assert a.duplicate.tolist() == b.duplicate.tolist()
        assert (a.conflicts, a.alerts_raised, a.alerts_cleared) == (
            b.conflicts, b.alerts_raised, b.alerts_cleared
        )
    assert sum(s.alerts_raised for s in stored_by_row) > 10
    for a, b in zip(rows, await stream.fetch(ROWS), strict=True):
        scores = a.pop("anomaly_score"), b.pop("anomaly_score")
        assert a == b
        assert (scores[0] is None) == (scores[1] is None)
        # A real has 24 bits; before it is cut to them the scores agree to 1e-9.
        assert scores[0] is None or scores[0] == pytest.approx(scores[1], rel=1e-6)
    assert any(r["is_anomaly"] for r in rows)
    assert any(int(str(r["data_quality"])) & 16 for r in rows)
    assert alerts == await stream.fetch(ALERTS)


async def _empty(bench: Bench) -> None:
    """Forget readings, alerts and state; the registry of the same name stays out of the way."""
    conn = await asyncpg.connect(bench.owner_url)
    await conn.execute(
        "truncate iot.sensor_data, iot.alerts, iot.alert_events, iot.alert_rules,"
        " iot.sensor_hourly_sums, iot.detector_checkpoints, iot.sensor_calibrations, iot.sensors,"
        " iot.device_credentials, iot.devices, iot.api_keys, iot.organizations cascade"
    )
    await conn.close()


async def test_the_row_engine_scans_its_24_hours_by_the_unique_index_of_one_or_two_partitions(
    database_url: str, make_bench: MakeBench
) -> None:
    """The plan of the very query that runs, as auto_explain logs it."""
    bench = await make_bench(database_url, "row")
    others = [(s, START_US + k * SECOND_US, 20.0) for s in (1, 2) for k in range(10_000)]
    await _copy(bench, [(0, START_US + k * SECOND_US, 20.0) for k in range(600)] + others)
    months = [START_US + month * 31 * 24 * HOUR_US for month in (-6, -4, -2)]
    await bench.store([(0, t, 20.0) for t in months], START_US)
    conn = await asyncpg.connect(bench.owner_url)
    plans: list[str] = []
    conn.add_log_listener(lambda _, message: plans.append(message.message))
    await conn.execute(
        "load 'auto_explain'; set auto_explain.log_min_duration = 0;"
        " set auto_explain.log_nested_statements = on; set auto_explain.log_format = json;"
        " set auto_explain.log_analyze = on; set client_min_messages = log; analyze iot.sensor_data"
    )
    measured = START_US + 5 * HOUR_US
    await conn.fetch(
        "select * from iot.process_sensor_data($1, to_timestamp($2::float8 / 1e6), 20, null, now())",
        sensor_id(bench.directory, 0),
        measured,
    )
    await conn.close()
    (plan,) = [json.loads(re.sub(r"^[^{]*", "", p, count=1)) for p in plans if "stddev_samp" in p]
    scans = _scans(plan["Plan"])
    assert scans, plan
    assert {scan["Node Type"] for scan in scans} <= {
        "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan"
    }
    relations = {scan["Relation Name"] for scan in scans if "Relation Name" in scan}
    months_read = {name[:19] for name in relations if not name.startswith("sensor_data_default")}
    assert months_read <= {"sensor_data_2026_06", "sensor_data_2026_07"}


async def _copy(bench: Bench, readings: list[tuple[int, int, float]]) -> None:
    """Store readings the quick way, whatever engine the bench has."""
    settings = bench.settings
    stream = Bench(
        make_engine(settings, bench.directory), bench.pool, bench.directory, bench.owner_url, settings
    )
    await stream.store(readings, START_US)


def _scans(plan: dict[str, object]) -> list[dict[str, str]]:
    below = [scan for child in plan.get("Plans", []) for scan in _scans(child)]  # type: ignore[attr-defined]
    return [*below, plan] if "Scan" in str(plan["Node Type"]) else below  # type: ignore[list-item]
