"""What a page of the operations dashboard costs, with many devices of many organizations."""

import statistics
import time
from collections.abc import Callable
from uuid import UUID

import asyncpg
import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import operations
from fleetplatform.registry.devices import Contact
from fleetplatform.registry.operations import Wanted
from fleetplatform.settings import PlatformSettings
from fleetplatform.wire.paging import Page

ORGANIZATIONS = 101
DEVICES = 1_000
ROUNDS = 15
NOW = Contact(now_us=0, offline_after_us=0)

pytestmark = pytest.mark.bench

FILL = """
    with d as (
        insert into iot.devices (organization_id, device_type_id, serial_number,
            device_type_version, hardware_revision)
        select o.organization_id, t.device_type_id, n::text, '1', 'A'
        from iot.device_types as t, iot.organizations as o, generate_series(1, $1::int) as n
        returning *
    ), s as (
        insert into iot.sensors (organization_id, device_id, name, position, sensor_type, unit,
            value_min, value_max, resolution, sampling_interval)
        select organization_id, device_id, 's' || n, n, 1, '', 0, 1, 0, interval '10 s'
        from d, generate_series(1, 4) as n
        returning *
    ), r as (
        insert into iot.alert_rules (organization_id, name, conditions, severity)
        select organization_id, 'r', '{"threshold_high": 1}', 'critical' from iot.organizations
        returning *
    )
    insert into iot.alerts (organization_id, rule_id, sensor_id, device_id, severity,
        alert_status, alert_timestamp, resolved_at)
    select s.organization_id, rule_id, s.sensor_id, s.device_id, 'critical',
        case when position = 1 then 'active' else 'resolved' end, now(),
        case when position > 1 then now() end
    from s join r using (organization_id)
"""


async def test_what_a_page_costs(
    database_url: str, make_settings: Callable[[], PlatformSettings]
) -> None:
    prepared = await prepare_database(database_url, make_settings())
    owner = await asyncpg.connect(prepared.owner_url)
    await owner.execute(
        "with t as (insert into iot.device_types (name, version) values ('t', '1') returning *)"
        " insert into iot.device_type_versions (device_type_id, version, specification)"
        " select device_type_id, '1', '{}' from t"
    )
    root = await owner.fetchval(
        "insert into iot.organizations (name) values ('root') returning organization_id"
    )
    await owner.execute(
        "insert into iot.organizations (name, parent_id)"
        " select 'n', case when n <= 20 then $1::uuid end from generate_series(2, $2::int) as n",
        root, ORGANIZATIONS,
    )  # fmt: skip
    await owner.execute(FILL, DEVICES)
    await owner.execute("analyze")
    leaf = await owner.fetchval(
        "select max(organization_id::text)::uuid from iot.organizations where parent_id is null"
    )
    await owner.close()
    pool = await open_pool(prepared.urls["iot_api"], make_settings().database, "iot_api")
    print(f"\n{ORGANIZATIONS * DEVICES:,} devices; a page of 100, medians of {ROUNDS}, ms")
    for name, tenant in (("an organization", leaf), ("a parent of 19", root)):
        for label, wanted in (("all", Wanted()), ("alerting", Wanted(alerting=True))):
            took = await _median(pool, Tenant(tenant), wanted)
            print(f"{name:16}{label:10}{took:8.1f}")
    await pool.close()


async def _median(pool: asyncpg.Pool, tenant: Tenant, wanted: Wanted) -> float:
    times = []
    place: UUID | None = None
    for _ in range(ROUNDS):
        page = Page(100, "created", after_value="" if place else None, after_id=place)
        began = time.perf_counter()
        found = await operations.list_page(pool, tenant, wanted, NOW, page)
        times.append(time.perf_counter() - began)
        place = found.operations[-1].device_id if found.next_cursor else None
    return statistics.median(times) * 1e3
