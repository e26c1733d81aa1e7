"""What row level security costs: the same questions under the policies and without them.

One table of readings with many tenants. Each question is asked as iot_api in the tenant's context,
and by a role that the policies do not bind, with the predicate that a careful programmer would have
written by hand. The two take turns in one run, and their medians are compared.
"""

import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.settings import PlatformSettings

ROWS = 500_000
TENANTS = 100
CHILDREN = 20
DEVICES = 5
SENSORS = 2
SHARED = 2
READINGS = ROWS // (TENANTS * DEVICES * SENSORS)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
ROUNDS = 21
RATIO_MAX = 1.3

pytestmark = pytest.mark.bench


def _id(kind: int, number: int) -> UUID:
    """Ids in the order of enrolment, as UUIDv7 are."""
    return UUID(int=(0x0199_AAAA_0000_7000 + kind << 64) + (0x8000 << 48) + number)


FILL = """
    insert into iot.sensor_data (
        sensor_id, device_id, organization_id, sensor_type, measurement_timestamp, received_at,
        measurement_value, data_quality, is_anomaly
    )
    select
        ($1::uuid[])[s], ($2::uuid[])[(s - 1) / $4 + 1],
        ($3::uuid[])[(s - 1) / ($4 * $5) + 1], 1, at, at, 20 + r % 10, 0, false
    from generate_series(1, $6::int) as r
    cross join generate_series(1, cardinality($1::uuid[])) as s
    cross join lateral (
        select '2026-06-01Z'::timestamptz + make_interval(mins => r) as at
    ) as t
"""


@dataclass(frozen=True)
class Question:
    """`mine`: the predicate that stands for the policies; $1 is what it is told."""

    name: str
    tenant: Tenant
    query: str
    mine: str
    told: Any
    bar: bool = False


def _questions() -> list[Question]:
    first, sensor = _id(1, CHILDREN + 5), _id(3, (CHILDREN + 5) * DEVICES * SENSORS)
    end = JUNE + timedelta(minutes=READINGS)
    hours = f"measurement_timestamp >= '{end - timedelta(minutes=400)}'"
    of_tenant = "select count(*), avg(measurement_value) from iot.sensor_data where"
    of_sensor = (
        "select measurement_timestamp, measurement_value from iot.sensor_data"
        f" where sensor_id = '{sensor}' and"
    )
    point = (
        f"{of_sensor} measurement_timestamp = '{JUNE + timedelta(minutes=7)}' and"
    )
    own = "organization_id = $1"
    tree = "organization_id = any ($1::uuid[])"
    devices = "organization_id = '{}' and device_id = any ($1::uuid[])"
    parent, family = _id(1, 0), [_id(1, n) for n in range(CHILDREN + 1)]
    shared = [_id(2, (CHILDREN + 5) * DEVICES + n) for n in range(SHARED)]
    limited = Tenant(first, device_groups=(_id(4, 1),))
    return [
        Question("range of a tenant", Tenant(first), f"{of_tenant} {hours} and", own, first, True),
        Question("all of a tenant", Tenant(first), of_tenant, own, first, True),
        Question("range of a sensor", Tenant(first), f"{of_sensor} {hours} and", own, first, True),
        Question("all of a sensor", Tenant(first), of_sensor, own, first, True),
        Question("point", Tenant(first), point, own, first),
        Question("parent, 20 children: range", Tenant(parent), f"{of_tenant} {hours} and",
                 tree, family),
        Question("parent, 20 children: all", Tenant(parent), of_tenant, tree, family),
        Question("parent, 20 children: point", Tenant(parent),
                 point.replace(str(sensor), str(_id(3, DEVICES * SENSORS))), tree, family),
        Question("limited viewer: range", limited, f"{of_tenant} {hours} and",
                 devices.format(first), shared),
        Question("limited viewer: all", limited, of_tenant, devices.format(first), shared),
        Question("limited viewer: a sensor", limited, of_sensor, devices.format(first), shared),
    ]  # fmt: skip


async def _fill(conn: asyncpg.Connection) -> None:
    organizations = [_id(1, n) for n in range(TENANTS)]
    parents = [_id(1, 0) if 1 <= n <= CHILDREN else None for n in range(TENANTS)]
    await conn.execute(
        "insert into iot.organizations (organization_id, parent_id, name)"
        " select o, p, 'bench' from unnest($1::uuid[], $2::uuid[]) as t (o, p)",
        organizations, parents,
    )  # fmt: skip
    await conn.execute(
        "with t as (insert into iot.device_types (name, version) values ('t', '1') returning *)"
        " insert into iot.device_type_versions (device_type_id, version, specification)"
        " select device_type_id, '1', '{}' from t"
    )
    devices = [_id(2, n) for n in range(TENANTS * DEVICES)]
    await conn.execute(
        "insert into iot.devices (organization_id, device_id, device_type_id, serial_number,"
        " device_type_version, hardware_revision)"
        " select ($1::uuid[])[(n - 1) / $3 + 1], ($2::uuid[])[n], device_type_id, n::text, '1', 'A'"
        " from iot.device_types, generate_series(1, cardinality($2::uuid[])) as n",
        organizations, devices, DEVICES,
    )  # fmt: skip
    await _share(conn)
    sensors = [_id(3, n) for n in range(TENANTS * DEVICES * SENSORS)]
    await conn.execute("select iot.ensure_partition($1, 1::smallint)", JUNE)
    await conn.execute(FILL, sensors, devices, organizations, SENSORS, DEVICES, READINGS)
    await conn.execute("vacuum (analyze) iot.sensor_data")
    await conn.execute("analyze")


async def _share(conn: asyncpg.Connection) -> None:
    """Two groups of devices in each of some tenants; a viewer sees one of them."""
    for tenant in range(CHILDREN + 1, CHILDREN + 11):
        for group in range(2):
            number = (tenant - CHILDREN - 5) * 2 + group + 1 if tenant >= CHILDREN + 5 else None
            group_id = _id(4, number) if number else _id(4, 1000 + tenant * 2 + group)
            await conn.execute(
                "insert into iot.device_groups (organization_id, group_id, name, kind)"
                " values ($1, $2, $3, 'static')",
                _id(1, tenant), group_id, f"group {group}",
            )  # fmt: skip
            await conn.execute(
                "insert into iot.device_group_members (organization_id, group_id, device_id)"
                " select $1, $2, unnest($3::uuid[])",
                _id(1, tenant), group_id,
                [_id(2, tenant * DEVICES + group * SHARED + n) for n in range(SHARED)],
            )  # fmt: skip


@asynccontextmanager
async def _freely(conn: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    async with conn.transaction():
        yield conn


async def _timed(conn: Any, query: str, *told: Any) -> tuple[float, list[Any]]:
    began = time.perf_counter()
    rows = await conn.fetch(query, *told)
    return time.perf_counter() - began, rows


async def _plan(conn: Any, query: str, *told: Any) -> str:
    rows = await conn.fetch(f"explain (analyze, buffers, costs off, timing off) {query}", *told)
    return "\n".join(row[0] for row in rows)


@pytest.fixture
async def filled(
    database_url: str, make_settings: Callable[[], PlatformSettings]
) -> PreparedDatabase:
    prepared = await prepare_database(database_url, make_settings())
    owner = await asyncpg.connect(prepared.owner_url)
    await _fill(owner)
    await owner.close()
    return prepared


async def test_what_the_policies_cost(
    filled: PreparedDatabase, make_settings: Callable[[], PlatformSettings]
) -> None:
    pool = await open_pool(filled.urls["iot_api"], make_settings().database, "iot_api")
    free = await asyncpg.connect(filled.owner_url)
    questions = _questions()
    bound: dict[str, list[float]] = {one.name: [] for one in questions}
    unbound: dict[str, list[float]] = {one.name: [] for one in questions}
    whole: dict[str, list[float]] = {one.name: [] for one in questions}
    for number in range(ROUNDS):
        for one in questions:
            began = time.perf_counter()
            async with transaction(pool, one.tenant) as conn:
                took, found = await _timed(conn, f"{one.query} true")
            whole[one.name].append(time.perf_counter() - began)
            bound[one.name].append(took)
            async with _freely(free) as conn:
                took, expected = await _timed(conn, f"{one.query} {one.mine}", one.told)
            unbound[one.name].append(took)
            assert sorted(map(tuple, expected)) == sorted(map(tuple, found))
            assert number or found, one.name
    print(f"\n{ROWS:,} readings, {TENANTS} tenants, medians of {ROUNDS} rounds, ms")
    print(f"{'question':28}{'policies':>10}{'without':>10}{'ratio':>8}{'context':>10}  bar")
    for one in questions:
        under, without = (statistics.median(times[one.name]) * 1e3 for times in (bound, unbound))
        context = statistics.median(whole[one.name]) * 1e3 - under
        print(f"{one.name:28}{under:10.2f}{without:10.2f}{under / without:8.2f}{context:10.2f}"
              f"  {'≤ ' + str(RATIO_MAX) if one.bar else ''}")  # fmt: skip
        if one.bar and under / without > RATIO_MAX:
            await _show_plans(pool, free, one)
    await free.close()
    await pool.close()


async def _show_plans(pool: Any, free: Any, one: Question) -> None:
    async with transaction(pool, one.tenant) as conn:
        print(f"under the policies:\n{await _plan(conn, one.query + ' true')}")
    print(f"without:\n{await _plan(free, f'{one.query} {one.mine}', one.told)}")
