"""What comes, or changes, while readings are on their way out: nothing goes that is not due."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from fleetplatform.admin import restore_readings
from fleetplatform.timeseries import rollups

from .conftest import DAY, START, MakeStore, Store, us

HOUR = timedelta(hours=1)
COMMITTED_AFTER_S = 0.6
LATE = """
insert into iot.sensor_data (
    sensor_id, device_id, organization_id, sensor_type, measurement_timestamp, received_at,
    measurement_value, value_encrypted, data_quality, is_anomaly
) values ($1, $2, $3, $4, $5, $5, $6, $7, 0, false)
"""


class Killed(BaseException):
    """A pass ends here."""


async def sweep_until(store: Store, last: str) -> None:
    """A pass that is killed after a step."""

    def on_step(step: str) -> None:
        if step == last:
            raise Killed

    with suppress(Killed):
        await store.sweep(on_step)


async def late_reading(store: Store, sensor: Any, sealed: bool = False) -> "asyncio.Task[None]":
    """A batch of ingest with one reading of the first day, which commits after a while."""
    conn = await asyncpg.connect(store.prepared.urls["iot_ingest"])
    await conn.execute("select iot.ensure_partition($1, $2)", START, sensor["sensor_type"])
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute(
        LATE, sensor["sensor_id"], sensor["device_id"], sensor["organization_id"],
        sensor["sensor_type"], START + HOUR, None if sealed else 1.0, b"\x00" if sealed else None,
    )  # fmt: skip

    async def commit() -> None:
        await asyncio.sleep(COMMITTED_AFTER_S)
        await transaction.commit()
        await conn.close()

    return asyncio.create_task(commit())


@pytest.mark.campaign
@pytest.mark.parametrize("with_rows", [False, True])
async def test_another_tenants_late_reading_stays(make_store: MakeStore, with_rows: bool) -> None:
    """It commits after its partition was looked at, and before that is detached."""
    store = await make_store("monthly_list", tenants=2)
    await store.policy(1, "delete")
    await store.policy(3650, "delete", organization_id=store.organizations[1])
    if with_rows:
        await store.write(store.sensors[0, 1], 24, START, HOUR)
    await store.set_clock(START + 40 * DAY)
    late = store.sensors[1, 1][0]
    batch = await late_reading(store, late)
    for _ in range(4):
        await store.sweep()
    await batch
    await store.sweep()
    there = await store.owner.fetchval(
        "select count(*) from iot.sensor_data where sensor_id = $1", late["sensor_id"]
    )
    assert there == 1


async def test_a_policy_made_longer_holds_for_what_is_detached(make_store: MakeStore) -> None:
    store = await make_store("monthly_list")
    await store.policy(1, "delete")
    await store.write(store.sensors[0, 1], 24, START, HOUR)
    await store.set_clock(START + 40 * DAY)
    await sweep_until(store, "detached")
    await store.owner.execute("update iot.data_retention_policies set keep_days = 3650")
    await store.sweep()
    assert await store.expired() == {}
    assert await store.owner.fetchval("select count(*) from iot.sensor_data") == 48


@pytest.mark.campaign
async def test_an_encrypted_reading_without_a_policy_holds_nothing_up(
    make_store: MakeStore,
) -> None:
    store = await make_store("monthly_list", tenants=2)
    await store.policy(1, "archive")
    await store.write(store.sensors[0, 1], 24, START, HOUR)
    await store.owner.execute(
        "update iot.sensors set sensitive = true where organization_id = $1",
        store.organizations[1],
    )
    await store.set_clock(START + 40 * DAY)
    batch = await late_reading(store, store.sensors[1, 1][0], sealed=True)
    for _ in range(3):
        assert (await store.sweep()).problems == []
    await batch


@pytest.mark.campaign
@pytest.mark.parametrize("layout", ["single", "monthly_list"])
async def test_a_sensor_that_is_kept_longer_may_come_while_others_are_to_go(
    make_store: MakeStore, layout: str
) -> None:
    store = await make_store(layout, tenants=2)
    first, second = store.sensors[0, 1]
    await store.policy(1, "delete")
    await store.policy(3650, "delete", sensor_id=second["sensor_id"])
    await store.write([first], 24, START, HOUR)
    await store.write(store.sensors[1, 1], 24, START, HOUR)
    await store.set_clock(START + 40 * DAY)
    await sweep_until(store, "planned")
    await store.write([second], 24, START, HOUR)
    await store.sweep()
    assert second["sensor_id"] not in await store.expired()


@pytest.mark.campaign
async def test_readings_sent_again_are_in_one_file(make_store: MakeStore) -> None:
    """While a file is missing, what was written beside it counts as known."""
    store = await make_store("daily", tenants=2)
    await store.policy(2, "archive")
    await store.policy(2, "archive", organization_id=store.organizations[1])
    await store.write(store.sensors[1, 1], 24, START, HOUR)
    await store.set_clock(START + 5 * DAY)
    await store.sweep()
    (name,) = await store.files("dropped")
    path = store.folder / name
    path.rename(path.with_suffix(".away"))
    await store.write(store.sensors[0, 1], 24, START, HOUR)
    await store.write(store.sensors[1, 1], 1, START + HOUR / 2, HOUR)
    await store.sweep()
    await store.write(store.sensors[0, 1], 24, START, HOUR)
    await store.sweep()
    path.with_suffix(".away").rename(path)
    await store.sweep()
    assert await store.held() - Counter(dict.fromkeys(store.stored, 1)) == Counter()


async def test_what_was_brought_back_outlives_a_deletion_under_way(make_store: MakeStore) -> None:
    store = await make_store("single")
    await store.policy(1, "archive")
    await store.write(store.sensors[0, 1], 24, START, HOUR)
    await store.set_clock(START + 40 * DAY)
    await store.sweep()
    await store.owner.execute("update iot.data_retention_policies set action = 'delete'")
    await store.write(store.sensors[0, 1], 1, START + HOUR / 2, HOUR)
    await sweep_until(store, "planned")
    span = (START, START + 2 * DAY)
    await restore_readings(
        store.prepared.owner_url, store.folder, store.organizations[0], span, 30 * DAY
    )
    await store.sweep()
    assert await store.owner.fetchval("select count(*) from iot.sensor_data") >= 48


async def test_hours_outlive_their_readings_also_when_something_comes_late(
    make_store: MakeStore,
) -> None:
    store = await make_store("daily")
    await store.policy(2, "archive")
    sensors, worker = store.sensors[0, 1], store.pools["iot_worker"]
    now = START + 2 * DAY
    await store.set_clock(now)
    await store.write(sensors, 240, START, timedelta(minutes=6), received_us=us(now) - 1)
    await rollups.refresh(worker, us(now), 1.0)
    now = START + 5 * DAY
    await store.set_clock(now)
    await store.sweep()
    await rollups.refresh(worker, us(now), 1.0)
    await store.sweep()
    assert await store.owner.fetchval("select count(*) from iot.sensor_data") == 0
    at = START + timedelta(minutes=1)
    await store.write(sensors[:1], 1, at, HOUR, received_us=us(now) + 1)
    await rollups.refresh(worker, us(now) + 10, 1.0)
    made = await store.owner.fetchval(
        "select sum(reading_count) from iot.sensor_hourly_aggregates"
    )
    assert made == 480
