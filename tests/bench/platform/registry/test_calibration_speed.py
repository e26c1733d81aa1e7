"""What calibrating stored readings again costs, and the lists of what is due in a large fleet."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import numpy as np
import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import calibration_history, reprocessing, sensors
from fleetplatform.registry.sensors import Filters
from fleetplatform.settings import PlatformSettings
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.calibrations import Interval, NewSensorCalibration

pytestmark = pytest.mark.bench

READINGS = 200_000
SENSORS = 100_000
ORGANIZATIONS = 20
JUNE_US = 1_780_272_000_000_000
DAY_US = 86_400_000_000
FLEET = f"""
with organization as (
    insert into iot.organizations (name) select 'o' || n from generate_series(1, {ORGANIZATIONS}) n
    returning organization_id
), type as (
    insert into iot.device_types (name, version) values ('t', '1') returning device_type_id
), version as (
    insert into iot.device_type_versions (device_type_id, version, specification)
    select device_type_id, '1', '{{}}' from type returning device_type_id
), device as (
    insert into iot.devices (organization_id, device_type_id, serial_number, device_type_version,
        hardware_revision, device_status)
    select organization_id, device_type_id, 's', '1', '1', 'active' from organization, version
    returning organization_id, device_id
), sensor as (
    insert into iot.sensors (organization_id, device_id, name, position, sensor_type, unit,
        value_min, value_max, resolution, sampling_interval)
    select organization_id, device_id, 's' || n, 0, 1, 'K', -1e9, 1e9, 0.1, interval '10 s'
    from device, generate_series(1, {SENSORS // ORGANIZATIONS}) as n
    returning organization_id, sensor_id
)
insert into iot.sensor_calibrations (organization_id, sensor_id, multiplier, offset_value, due_at)
select organization_id, sensor_id, 1.1, 0.5, now() + random() * interval '365 days' from sensor
"""
ROWS = f"""
insert into iot.sensor_data (sensor_id, device_id, organization_id, sensor_type,
    measurement_timestamp, received_at, measurement_value, data_quality, is_anomaly)
select sensor_id, device_id, organization_id, 1,
    timestamptz '2026-06-01' + n * interval '10 seconds', now(), random() * 40, 0, false
from (select * from iot.sensors order by sensor_id limit 1) as s,
    generate_series(1, {READINGS}) as n
"""


async def timed(what: str, call: Callable[[], Awaitable[Any]], tries: int = 20) -> None:
    took_ms = []
    for _ in range(tries):
        began = time.perf_counter()
        await call()
        took_ms.append((time.perf_counter() - began) * 1000)
    print(f"{what}: median {np.median(took_ms):.1f} ms, largest {max(took_ms):.1f} ms")


async def test_readings_a_second_and_lists_of_a_large_fleet(
    database_url: str, make_settings: Callable[[], PlatformSettings]
) -> None:
    settings = make_settings()
    prepared = await prepare_database(database_url, settings)
    pools = {}
    for role in ("iot_api", "iot_worker"):
        pools[role] = await open_pool(prepared.urls[role], settings.database, role)
    async with asyncpg.create_pool(prepared.owner_url, min_size=0) as owner:
        await owner.execute(FLEET)
        for month in ("2026-06-01Z", "2026-07-01Z"):
            await owner.execute(f"select iot.ensure_partition('{month}', 1::smallint)")
        await owner.execute(ROWS)
        await owner.execute("analyze iot.sensors, iot.sensor_calibrations, iot.sensor_data")
        first = await owner.fetchrow("select * from iot.sensors order by sensor_id limit 1")
    api, tenant = pools["iot_api"], Tenant(first["organization_id"])
    curves = {"line": {"multiplier": 1.5}, "degree 5": {"coefficients": (1, 1, 1, 1, 1, 1e-9)}}
    for number, (name, curve) in enumerate(curves.items()):
        new = NewSensorCalibration(valid_from_us=JUNE_US - DAY_US + number, **curve)
        await calibration_history.add(api, tenant, first["sensor_id"], new)
        interval = Interval(from_us=JUNE_US, to_us=JUNE_US + 60 * DAY_US)
        await reprocessing.ask(api, tenant, first["sensor_id"], interval)
        began, pieces = time.perf_counter(), 0
        while await reprocessing.advance(pools["iot_worker"], 5000, 0.0):
            pieces += 1
        took_s = time.perf_counter() - began
        piece_ms = 1000 * took_s / pieces
        print(f"{name}: {READINGS / took_s:,.0f} readings/s in both passes, {piece_ms:.0f} ms each")
    page = Page(100, "due")
    await timed("due", lambda: calibration_history.due(api, tenant, 4 * JUNE_US // 3, page))
    await timed("sensors", lambda: sensors.listed(api, tenant, Filters(), Page(100, "enrolled")))
    late = Filters(due_before_us=4 * JUNE_US // 3)
    await timed("late", lambda: sensors.listed(api, tenant, late, Page(100, "enrolled")))
    for pool in pools.values():
        await pool.close()

