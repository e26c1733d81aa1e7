"""One process of a database takes readings: a second is refused, a lost right is taken again."""

import asyncio

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")


async def test_a_second_process_is_refused_in_one_sentence(start_service, service_of, database_url):
    first = await start_service()
    tenant = await first.tenant(THERMOMETER)
    second = await service_of(database_url)
    process = await second.spawn()
    assert await process.wait() == 5
    assert second.log.splitlines()[-1].count("another process takes readings") == 1
    assert "Traceback" not in second.log
    reading = {"sensor": "temperature", "t": wall_now_us(), "v": 20.0}
    assert (await first.post(tenant.token("t1"), [reading])).status == 200


async def test_a_lost_lane_stops_readings_until_it_is_taken_again(
    start_service, owner_of, eventually
):
    service = await start_service()
    tenant = await service.tenant(THERMOMETER)
    owner = await owner_of(service)
    key = await owner.fetchval("select hashtext('iot.lane owner')")
    holder = await owner.fetchval(
        "select pid from pg_stat_activity where application_name = 'fleetstorm lane'"
        " and datname = current_database()"
    )
    other = await owner_of(service)
    waiting = asyncio.create_task(other.fetch("select pg_advisory_lock($1, 0)", key))
    waits = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
    await eventually(lambda: owner.fetchval(waits))
    await owner.fetch("select pg_terminate_backend($1)", holder)
    await waiting
    reading = {"sensor": "temperature", "t": wall_now_us(), "v": 20.0}

    async def answered(status: int) -> bool:
        return (await service.post(tenant.token("t1"), [reading])).status == status

    await eventually(lambda: answered(503))
    assert await service.status("/readyz") == 503
    await other.fetch("select pg_advisory_unlock($1, 0)", key)
    await eventually(lambda: answered(200))
    assert await owner.fetchval("select count(*) from iot.sensor_data") == 1
