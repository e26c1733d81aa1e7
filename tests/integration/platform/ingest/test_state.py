"""The engine's state outlives its process: checkpoints, restarts, a clock that is set back."""

import asyncio

import numpy as np
import pytest

from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetplatform.wire.readings import encode_arrow
from fleetplatform.wire.resources.devices import NewDevice

HOUR_US = 3_600_000_000
START_US = 1_780_272_000_000_000
SENSORS = 5


class Sender:
    """Sends the same readings to any service: a minute apart, some hours long."""

    def __init__(self, service, tenant) -> None:
        self.service = service
        self.tenant = tenant
        self.ids = [tenant.sensor(f"d{n}") for n in range(SENSORS)]

    async def hours(self, first: int, last: int, value: int = 0) -> None:
        minutes = np.arange(first * 60, last * 60)
        t_us = np.repeat(START_US + minutes * 60_000_000, SENSORS)
        values = np.repeat(minutes * 7919 % 101 / 7.0, SENSORS) + value
        which = np.tile(np.arange(SENSORS), len(minutes))
        high = np.array([i.int >> 64 for i in self.ids], dtype=np.uint64)[which]
        low = np.array([i.int & (2**64 - 1) for i in self.ids], dtype=np.uint64)[which]
        body = encode_arrow(high, low, t_us, values)
        answer = await self.service.post_arrow(self.tenant.token("g"), body)
        assert answer.body["accepted"] == len(t_us), answer


async def prepared(service) -> Sender:
    tenant = await service.tenant(
        NewDevice(serial_number="g", device_type="gateway"),
        *(NewDevice(serial_number=f"d{n}", device_type="thermometer", gateway="g")
          for n in range(SENSORS)),
    )  # fmt: skip
    return Sender(service, tenant)


async def set_clock(service, hours: float, speed: float = 0.0) -> None:
    """Virtual time stands still so many hours after the start."""
    async with service.operator() as operator:
        await operator.set_clock(
            ClockLaw(START_US + round(hours * HOUR_US), wall_now_us(), speed)
        )


async def scores(conn, sender: Sender) -> list[tuple[float | None, bool]]:
    rows = await conn.fetch(
        "select anomaly_score, is_anomaly from iot.sensor_data where sensor_id = any ($1)"
        " order by measurement_timestamp, array_position($1, sensor_id)",
        sender.ids,
    )
    return [tuple(row) for row in rows]


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("end", "checkpoint_interval"),
    [
        ("kill", 0.0), ("kill", 3600.0), ("terminate", 0.0), ("terminate", 3600.0),
    ],
)  # fmt: skip
async def test_scores_after_restarts_are_those_without(
    start_service, service_of, database_url, owner_of, end, checkpoint_interval
):
    """Two equal fleets; the process of one is ended twice, and its clock stands still."""
    service = await start_service(checkpoint_interval=checkpoint_interval)
    await set_clock(service, 24)
    undisturbed, disturbed = await prepared(service), await prepared(service)
    for hour in range(0, 24, 3):
        await undisturbed.hours(hour, hour + 3)
    conn = await owner_of(service)
    for hour in range(0, 24, 3):
        await disturbed.hours(hour, hour + 3)
        if hour in (6, 15):
            await getattr(disturbed.service, end)()
            again = await service_of(database_url, checkpoint_interval=checkpoint_interval)
            disturbed.service = await again.start()
    found = await scores(conn, disturbed)
    assert found == await scores(conn, undisturbed)
    assert sum(score is not None for score, _ in found) == 23 * 60 * SENSORS
    assert await disturbed.service.terminate() == 0
    await sums_are_right(conn)


@pytest.mark.campaign
async def test_what_is_known_of_a_week_outlives_a_killed_process(
    start_service, service_of, database_url, owner_of
):
    """The same with the detector seasonal, whose scores begin after a day."""
    kept = {"checkpoint_interval": 0.0, "detector": "seasonal"}
    service = await start_service(**kept)
    await set_clock(service, 33)
    undisturbed, disturbed = await prepared(service), await prepared(service)
    for hour in range(0, 33, 3):
        await undisturbed.hours(hour, hour + 3)
    conn = await owner_of(service)
    for hour in range(0, 33, 3):
        await disturbed.hours(hour, hour + 3)
        if hour in (6, 27):
            await disturbed.service.kill()
            disturbed.service = await (await service_of(database_url, **kept)).start()
    found = await scores(conn, disturbed)
    assert found == await scores(conn, undisturbed)
    assert sum(score is not None for score, _ in found) == 9 * 60 * SENSORS


async def sums_are_right(conn) -> None:
    """What an orderly end wrote down is what the rows say."""
    wrong = await conn.fetchval(
        """
        with rows as (
            select sensor_id, date_trunc('hour', measurement_timestamp, 'UTC') as hour_start,
                count(*) as n, avg(measurement_value) as mean
            from iot.sensor_data
            group by 1, 2
        )
        select count(*) from rows full join iot.sensor_hourly_sums as s
            using (sensor_id, hour_start)
        where rows.n is distinct from s.reading_count
           or abs(rows.mean - s.mean_value) > 1e-9 * abs(rows.mean)
        """
    )
    assert wrong == 0


async def test_a_clock_that_is_set_back_begins_anew(
    start_service, service_of, database_url, owner_of
):
    """A second run on the same database starts where the first one did."""
    service = await start_service(checkpoint_interval=0.0)
    await set_clock(service, 30)
    first = await prepared(service)
    await first.hours(0, 30)
    await set_clock(service, 0)
    second = await prepared(service)
    conn = await owner_of(service)
    for hour in range(0, 30, 6):
        await set_clock(service, hour + 6)
        await second.hours(hour, hour + 6)
        if hour == 12:
            await second.service.kill()
            again = await service_of(database_url, checkpoint_interval=0.0)
            second.service = service = await again.start()
    assert await scores(conn, second) == await scores(conn, first)
    received = await conn.fetch(
        "select (extract(epoch from received_at) * 1000000)::bigint as t from iot.sensor_data"
        " where sensor_id = any ($1)",
        second.ids,
    )
    assert all(0 <= row["t"] - START_US <= 31 * HOUR_US for row in received)


async def test_setting_the_clock_waits_for_what_was_taken(start_service, owner_of, eventually):
    service = await start_service(max_wait=1.0)
    await set_clock(service, 1)
    sender = await prepared(service)
    sending = asyncio.create_task(sender.hours(0, 1))

    async def is_queued() -> bool:
        page = (await service.request("GET", "/metrics", {}, b"")).body
        return b"fleetstorm_queue_readings 0.0" not in page

    await eventually(is_queued, 10)
    await set_clock(service, 2)
    conn = await owner_of(service)
    assert await conn.fetchval("select count(*) from iot.sensor_data") == 60 * SENSORS
    await sending
