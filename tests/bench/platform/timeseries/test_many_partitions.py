"""What many partitions, and many rows, cost who stores: two databases, windows in turn, one run.

Each window is the `stream` engine in this process, storing batches of all sensors as they come.
"""

import os
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
import numpy as np
import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.ingest.engines import Engine, make_engine
from fleetplatform.ingest.submission import Submission, gather
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.registry.directory import Directory
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries.partitions import make_ahead
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization
from fleetstorm.stack.postgres import PostgresServer

MONTHS = int(os.environ.get("FLEETSTORM_BENCH_MONTHS", "240"))
ROWS = int(os.environ.get("FLEETSTORM_BENCH_ROWS", "1000000"))
"""Rows stored beforehand; 50,000,000 is what is asked about."""
WINDOWS = int(os.environ.get("FLEETSTORM_BENCH_WINDOWS", "8"))
BATCHES = int(os.environ.get("FLEETSTORM_BENCH_BATCHES", "10"))
DEVICES = 1_000
BATCH = 20_000
LATE_SHARE = 0.05
"""Of a batch sent a second time, so that stored readings are looked up as well."""

JUNE_US = 1_780_272_000_000_000
START_US = JUNE_US + 10 * 86_400_000_000
TYPES = ("temperature", "humidity", "pressure", "power", "voltage", "vibration", "co2", "level")

MakeSettings = Callable[..., PlatformSettings]

pytestmark = pytest.mark.bench


@dataclass
class Side:
    """One database and an engine over it; `per_s` has a figure for each window."""

    name: str
    pool: Pool
    engine: Engine
    sensors: int
    now_us: int = START_US
    per_s: list[float] = field(default_factory=list)

    async def window(self, again: float) -> None:
        """Store some batches; a share of each is sent twice."""
        count, took_s = 0, 0.0
        for _ in range(BATCHES):
            steps = BATCH // self.sensors
            sensor = np.repeat(np.arange(self.sensors, dtype=np.int32), steps)
            t_us = self.now_us + 1_000_000 * np.tile(np.arange(steps), self.sensors)
            value = np.random.default_rng(count).normal(20, 1, len(sensor))
            self.now_us += steps * 1_000_000
            took_s += await self._store(sensor, t_us, value)
            count += len(sensor)
            if again:
                some = slice(0, int(len(sensor) * again))
                took_s += await self._store(sensor[some], t_us[some], value[some])
        self.per_s.append(count / took_s)

    async def _store(self, sensor: Any, t_us: Any, value: Any) -> float:
        arrivals = gather([Submission(0, sensor, t_us, value)], self.now_us)
        began = time.perf_counter()
        await self.engine.store(self.pool, arrivals, np.arange(len(arrivals)))
        return time.perf_counter() - began


@asynccontextmanager
async def _side(
    postgres: PostgresServer, name: str, settings: PlatformSettings
) -> AsyncIterator[tuple[Side, asyncpg.Connection]]:
    """A fresh database with a fleet whose sensors have the types of TYPES that exist."""
    admin = await asyncpg.connect(postgres.url())
    await admin.execute(f'create database "{name}" template template0')
    prepared = await prepare_database(postgres.url(name), settings)
    async with AsyncExitStack() as stack:
        owner = await asyncpg.connect(prepared.owner_url)
        pools = {}
        for role in ("iot_api", "iot_ingest", "iot_worker"):
            pools[role] = await open_pool(prepared.urls[role], settings.database, role)
            stack.push_async_callback(pools[role].close)
        await _enrol(pools["iot_api"])
        await make_ahead(pools["iot_worker"], START_US, settings.layout)
        directory = Directory()
        await directory.refresh(pools["iot_ingest"])
        engine = make_engine(settings, directory, None)
        await engine.load(pools["iot_ingest"], START_US)
        yield Side(name, pools["iot_ingest"], engine, directory.sensor_count), owner
        await owner.close()
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()


async def _enrol(pool: Pool) -> None:
    sensor = {"unit": "1", "min": -1e6, "max": 1e6, "resolution": 0.01, "interval": 1.0}
    specification = {
        "name": "many", "version": "1", "description": "a sensor of each type",
        "sensors": {kind: sensor | {"type": kind} for kind in TYPES}, "commands": {},
        "configuration": {"type": "object", "properties": {}}, "hardware_revisions": ["1"],
        "firmware": {},
    }  # fmt: skip
    await device_types.put(pool, msgspec.convert(specification, DeviceTypeSpecification))
    tenant = await organizations.create(pool, NewOrganization(name="tenant"))
    new = [NewDevice(serial_number=f"d{n}", device_type="many") for n in range(DEVICES)]
    await devices.enrol(pool, Tenant(tenant.organization_id), new)


async def _make_months(owner: asyncpg.Connection, months: int) -> int:
    """The partitions of so many months that end with June 2026, for each type; how many leaves."""
    for back in range(months):
        await owner.fetch(
            "select iot.ensure_partition("
            "timestamptz '2026-06-10' - make_interval(months => $1), t.sensor_type)"
            " from (select distinct sensor_type from iot.sensors) as t",
            back,
        )
    count: int = await owner.fetchval(
        "select count(*) from pg_partition_tree('iot.sensor_data') where isleaf"
    )
    return count


@pytest.mark.parametrize("again", [0.0, LATE_SHARE], ids=["fresh", "with_duplicates"])
@pytest.mark.parametrize("layout", ["monthly", "monthly_list"])
async def test_readings_a_second_with_many_months_against_few(
    postgres: PostgresServer, make_settings: MakeSettings, layout: str, again: float
) -> None:
    settings = make_settings(layout, ahead=2)
    async with (
        _side(postgres, "few_months", settings) as (few, _),
        _side(postgres, "many_months", settings) as (many, owner),
    ):
        leaves = await _make_months(owner, MONTHS)
        await _take_turns(few, many, again)
        began = time.perf_counter()
        await owner.fetch("select * from iot.stray_readings()")
        strays_ms = (time.perf_counter() - began) * 1000
    print(
        f"\n{layout}, {again:.0%} twice: 3 months {_median(few)}/s, {MONTHS} months ({leaves}"
        f" leaves) {_median(many)}/s: {_ratio(many, few)}; strays looked for in {strays_ms:.0f} ms"
    )


async def test_readings_a_second_with_many_rows_against_none(
    postgres: PostgresServer, make_settings: MakeSettings
) -> None:
    settings = make_settings()
    async with (
        _side(postgres, "no_rows", settings) as (empty, _),
        _side(postgres, "many_rows", settings) as (full, owner),
    ):
        await _fill(owner, full.sensors)
        await _take_turns(empty, full, 0.0)
    print(
        f"\nempty table {_median(empty)}/s, {ROWS:,} rows stored {_median(full)}/s:"
        f" {_ratio(full, empty)}"
    )


async def _take_turns(one: Side, other: Side, again: float) -> None:
    """Windows of both, in turn; the first of each warms up."""
    for _ in range(WINDOWS + 1):
        for side in (one, other):
            await side.window(again)
    for side in (one, other):
        del side.per_s[0]


async def _fill(owner: asyncpg.Connection, sensors: int) -> None:
    """Readings of the same sensors, the newest ones before the load begins; by COPY's twin."""
    await owner.execute(
        """
        insert into iot.sensor_data (sensor_id, device_id, organization_id, sensor_type,
            measurement_timestamp, received_at, measurement_value, data_quality, is_anomaly)
        select s.sensor_id, s.device_id, s.organization_id, s.sensor_type, t, t, 20, 0, false
        from generate_series(1, $1::bigint) as step
        cross join lateral (
            select timestamptz 'epoch' + $2::bigint * interval '1 us' - step * interval '1 s'
        ) as at (t)
        cross join iot.sensors as s
        """.replace("$1", str(-(-ROWS // sensors))).replace("$2", str(START_US)),
    )
    await owner.execute("vacuum analyze iot.sensor_data")


def _median(side: Side) -> str:
    return f"{statistics.median(side.per_s):,.0f}"


def _ratio(side: Side, base: Side) -> str:
    """The median of the ratios of neighbouring windows, with the least and the greatest."""
    ratios = sorted(a / b for a, b in zip(side.per_s, base.per_s, strict=True))
    return f"{statistics.median(ratios):.1%} ({ratios[0]:.0%} to {ratios[-1]:.0%})"
