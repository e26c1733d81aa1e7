"""Alerts are raised and cleared by readings, in the transaction that stores them."""

import asyncio

import asyncpg
import pytest

from fleetplatform.client import Client
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.devices import NewDevice

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")
CLIMATE = NewDevice(serial_number="c1", device_type="climate_v2")


async def make_rule(service, tenant, **rule):
    async with Client(service.url, tenant.api_key) as client:
        return await client.create_alert_rule(NewAlertRule(**rule))


async def alerts(service, tenant, **which):
    """Of each alert, oldest first: sensor, status, when raised, value, when resolved."""
    async with Client(service.url, tenant.api_key) as client:
        found = (await client.alerts(**which)).alerts
    rows = [
        (a.sensor_id, a.alert_status, a.alert_timestamp_us, a.trigger_value, a.resolved_at_us)
        for a in found
    ]
    return sorted(rows, key=lambda row: row[2])


async def post(service, tenant, serial, *readings):
    body = [{"sensor": s, "t": t, "v": v} for s, t, v in readings]
    answer = await service.post(tenant.token(serial), body)
    assert answer.body["accepted"] == len(readings), answer


async def test_raised_when_it_begins_and_cleared_when_it_ceases(start_service, owner_of):
    service = await start_service()
    tenant = await service.tenant(THERMOMETER)
    await make_rule(service, tenant, name="hot", conditions={"threshold_high": 30})
    await registered(service, tenant)
    sensor, now = tenant.sensor("t1"), wall_now_us()
    await post(service, tenant, "t1", ("temperature", now, 31), ("temperature", now + 1, 32))
    assert await alerts(service, tenant) == [(sensor, "active", now, 31.0, None)]
    await post(service, tenant, "t1", ("temperature", now + 2, 33))
    await post(service, tenant, "t1", ("temperature", now + 3, 30))
    first = (sensor, "resolved", now, 31.0, now + 3)
    assert await alerts(service, tenant) == [first]
    # Twice within one batch, and the second one stays open.
    await post(
        service, tenant, "t1",
        *[("temperature", now + 10 + n, v) for n, v in enumerate([40, 20, 41, 20, 42, 43])],
    )  # fmt: skip
    assert await alerts(service, tenant) == [
        first,
        (sensor, "resolved", now + 10, 40.0, now + 11),
        (sensor, "resolved", now + 12, 41.0, now + 13),
        (sensor, "active", now + 14, 42.0, None),
    ]
    assert len(await alerts(service, tenant, status="active")) == 1
    conn = await owner_of(service)
    events = await conn.fetch("select event, count(*) as n from iot.alert_events group by 1")
    assert {row["event"]: row["n"] for row in events} == {"raised": 4, "resolved": 3}


async def test_open_alerts_are_known_after_a_restart(start_service, service_of, database_url):
    service = await start_service()
    tenant = await service.tenant(THERMOMETER)
    await make_rule(service, tenant, name="hot", conditions={"threshold_high": 30})
    await registered(service, tenant)
    now = wall_now_us()
    await post(service, tenant, "t1", ("temperature", now, 31))
    await service.kill()
    again = await (await service_of(database_url)).start()
    await post(again, tenant, "t1", ("temperature", now + 1, 32), ("temperature", now + 2, 10))
    assert await alerts(again, tenant) == [
        (tenant.sensor("t1"), "resolved", now, 31.0, now + 2)
    ]


async def test_a_late_reading_raises_but_never_clears(platform):
    tenant = await platform.tenant(THERMOMETER)
    await make_rule(platform, tenant, name="hot", conditions={"threshold_high": 30})
    await registered(platform, tenant)
    sensor, now = tenant.sensor("t1"), wall_now_us()
    await post(platform, tenant, "t1", ("temperature", now, 10))
    await post(platform, tenant, "t1", ("temperature", now - 10, 31))
    assert await alerts(platform, tenant) == [(sensor, "active", now - 10, 31.0, None)]
    await post(platform, tenant, "t1", ("temperature", now - 5, 10))
    assert await alerts(platform, tenant) == [(sensor, "active", now - 10, 31.0, None)]
    await post(platform, tenant, "t1", ("temperature", now + 5, 10))
    assert await alerts(platform, tenant) == [(sensor, "resolved", now - 10, 31.0, now + 5)]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, {"t1/temperature", "c1/temperature", "c1/humidity"}),
        ({"device_type": "climate_v2"}, {"c1/temperature", "c1/humidity"}),
        ({"sensor_type": "temperature"}, {"t1/temperature", "c1/temperature"}),
        ({"device_type": "climate_v2", "sensor_type": "humidity"}, {"c1/humidity"}),
        ({"sensor_id": ("t1", 0)}, {"t1/temperature"}),
    ],
)
async def test_a_rule_speaks_of_its_scope_alone(platform, scope, expected):
    tenant = await platform.tenant(THERMOMETER, CLIMATE)
    if "sensor_id" in scope:
        scope = {"sensor_id": tenant.sensor(*scope["sensor_id"])}
    await make_rule(platform, tenant, name="hot", conditions={"threshold_high": 30}, **scope)
    await registered(platform, tenant)
    now = wall_now_us()
    await post(platform, tenant, "t1", ("temperature", now, 31))
    await post(
        platform, tenant, "c1",
        ("temperature", now, 31), ("humidity", now, 31), ("pressure", now, 20),
    )  # fmt: skip
    names = {
        tenant.sensor("t1"): "t1/temperature",
        tenant.sensor("c1", 0): "c1/temperature",
        tenant.sensor("c1", 1): "c1/humidity",
    }
    assert {names[row[0]] for row in await alerts(platform, tenant)} == expected


async def test_conditions_are_joined_by_and(platform):
    tenant = await platform.tenant(THERMOMETER)
    conditions = {"threshold_high": 10, "threshold_low": 20}
    await make_rule(platform, tenant, name="between", conditions=conditions)
    await registered(platform, tenant)
    sensor, now = tenant.sensor("t1"), wall_now_us()
    await post(
        platform, tenant, "t1",
        *[("temperature", now + n, v) for n, v in enumerate([5, 15, 25])],
    )  # fmt: skip
    assert await alerts(platform, tenant) == [(sensor, "resolved", now + 1, 15.0, now + 2)]


async def test_another_organizations_readings_raise_nothing(platform):
    mine, other = await platform.tenant(THERMOMETER), await platform.tenant(THERMOMETER)
    await make_rule(platform, mine, name="hot", conditions={"threshold_high": 30})
    await registered(platform, mine)
    await post(platform, other, "t1", ("temperature", wall_now_us(), 99))
    assert await alerts(platform, other) == []
    assert await alerts(platform, mine) == []


async def test_an_alert_that_cannot_be_written_takes_its_reading_with_it(
    start_service, owner_of
):
    """One transaction: without the alert there is no reading, and the device is told to retry."""
    service = await start_service()
    tenant = await service.tenant(THERMOMETER)
    await make_rule(service, tenant, name="hot", conditions={"threshold_high": 30})
    await registered(service, tenant)
    conn: asyncpg.Connection = await owner_of(service)
    await conn.execute(
        "alter table iot.alerts add constraint never check (trigger_value <> 31) not valid"
    )
    now = wall_now_us()
    body = [{"sensor": "temperature", "t": now, "v": 31}]
    answer = await service.post(tenant.token("t1"), body)
    assert answer.status == 503
    assert await conn.fetchval("select count(*) from iot.sensor_data") == 0
    await conn.execute("alter table iot.alerts drop constraint never")
    await post(service, tenant, "t1", ("temperature", now, 31))
    assert len(await alerts(service, tenant)) == 1


async def registered(service, tenant) -> None:
    """Return when the service has heard of what was made for the tenant.

    A device enrolled after it posts at once, for its token makes the directory catch up.
    """
    serial = f"probe-{wall_now_us()}"
    await service.enrol(tenant, NewDevice(serial_number=serial, device_type="gateway"))
    async with asyncio.timeout(10):
        answer = await service.post(tenant.token(serial), [])
    assert answer.status == 200
