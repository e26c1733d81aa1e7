"""What aggregates over a large fleet cost, up to the number of hours that an answer may take."""

import time
from collections.abc import Callable

import asyncpg
import numpy as np
import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.analytics import aggregates
from fleetplatform.analytics.aggregates import By, Choice
from fleetplatform.analytics.choice import Span
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.settings import PlatformSettings

pytestmark = pytest.mark.bench

SENSORS = 10_000
HOURS = 96
GROUP = 200
JUNE_US = 1_780_272_000_000_000
HOUR_US = 3_600_000_000
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
), sensor as (
    insert into iot.sensors (organization_id, device_id, name, position, sensor_type, unit,
        value_min, value_max, resolution, sampling_interval)
    select organization_id, device_id, 's', 0, 1, 'K', -1e9, 1e9, 0.1, interval '10 s' from device
    returning *
), fleet as (
    insert into iot.device_groups (organization_id, name, kind)
    select organization_id, 'g', 'static' from organization returning *
), member as (
    insert into iot.device_group_members (organization_id, group_id, device_id)
    select organization_id, group_id, device_id
    from (select * from device limit {GROUP}) as few join fleet using (organization_id)
)
insert into iot.sensor_hourly_aggregates
select organization_id, sensor_id, device_id, timestamptz '2026-06-01Z' + n * interval '1 hour', 60,
    20 + n % 7, 10, 30, 60, 60, 0
from sensor, generate_series(0, {HOURS} - 1) as n
"""


async def test_hours_of_a_fleet(
    database_url: str, make_settings: Callable[[], PlatformSettings]
) -> None:
    settings = make_settings()
    prepared = await prepare_database(database_url, settings)
    owner = await asyncpg.connect(prepared.owner_url)
    await owner.execute(FLEET)
    await owner.execute("vacuum (analyze) iot.sensor_hourly_aggregates")
    await owner.execute("analyze")
    organization = await owner.fetchval("select organization_id from iot.organizations")
    group = await owner.fetchval("select group_id from iot.device_groups")
    await owner.close()
    pool = await open_pool(prepared.urls["iot_api"], settings.database, "iot_api")
    questions: list[tuple[str, Choice, By, int]] = [
        ("the fleet by hour", Choice(), "sensor_type", HOURS),
        ("the fleet by hour, a day", Choice(), "sensor_type", 24),
        ("a group of 200 by hour", Choice(group_id=group), "group", HOURS),
        ("each of 200 by hour, a day", Choice(group_id=group), "device", 24),
    ]
    print(f"\n{SENSORS:,} sensors, {SENSORS * HOURS:,} hours, medians of 3, ms")
    for name, choice, by, hours in questions:
        took = []
        for _ in range(3):
            began = time.perf_counter()
            span = Span(JUNE_US, JUNE_US + hours * HOUR_US)
            found = await aggregates.read(pool, Tenant(organization), span, choice, by, "hour")
            took.append((time.perf_counter() - began) * 1000)
            assert {len(one.buckets) for one in found.series} == {hours}
        print(f"{name:28}{np.median(took):10.1f}")
    await pool.close()
