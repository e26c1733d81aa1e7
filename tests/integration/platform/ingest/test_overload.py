"""A full queue says so, at once, and what it took is stored."""

import asyncio
import collections

import asyncpg
import msgspec
import pytest

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice
from fleetsim.transport.http import HttpClient, head, request

DEVICE = NewDevice(serial_number="t1", device_type="thermometer")


async def test_a_full_queue_answers_429_with_retry_after(start_service, owner_of, eventually):
    service = await start_service(queue_requests=4, max_rows=10, commit_timeout=20.0)
    tenant = await service.tenant(DEVICE)
    now = wall_now_us()
    client = HttpClient(service.url, lanes=30, timeout_s=30)
    opening = head(client, "/v1/readings", tenant.token("t1"), "application/json")

    async def post(lane: int):
        body = b'{"readings":[{"sensor":"temperature","t":%d,"v":1}]}' % (now + lane)
        return await client.exchange(lane, request(opening, body))

    conn = await owner_of(service)
    async with conn.transaction():
        # Nothing can be stored while this is held, so the queue must fill up.
        await conn.execute("lock table iot.sensor_data in access exclusive mode")
        posts = [asyncio.create_task(post(number)) for number in range(30)]
        await eventually(lambda: sum(task.done() for task in posts) >= 15)
    answers = [await task for task in posts]
    codes = collections.Counter(answer.status for answer in answers)
    assert set(codes) == {200, 429}
    for answer in answers:
        if answer.status == 429:
            assert msgspec.json.decode(answer.body)["code"] == "overloaded"
            assert answer.retry_after_s == 1
    count = await conn.fetchval("select count(*) from iot.sensor_data")
    assert count == codes[200]
    client.close()


async def test_a_commit_that_takes_too_long_is_given_up_and_nothing_is_doubled(
    start_service, owner_of, eventually
):
    service = await start_service(commit_timeout=0.5)
    tenant = await service.tenant(DEVICE)
    body = [{"sensor": "temperature", "t": wall_now_us(), "v": 1}]
    conn = await owner_of(service)
    async with conn.transaction():
        await conn.execute("lock table iot.sensor_data in access exclusive mode")
        answer = await service.post(tenant.token("t1"), body)
    assert (answer.status, answer.body["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    stored = []

    async def is_taken() -> bool:
        answer = await service.post(tenant.token("t1"), body)
        if answer.status == 200:
            stored.append(answer.body["accepted"] + answer.body["duplicates"])
        return answer.status == 200

    await eventually(is_taken)
    assert stored == [1]
    assert await conn.fetchval("select count(*) from iot.sensor_data") == 1


@pytest.mark.campaign
async def test_state_may_take_longer_to_build_than_a_batch_may_take(
    start_service, owner_of, eventually
):
    """After a failed batch; otherwise a table that has grown would keep the service refusing."""
    service = await start_service(commit_timeout=0.5)
    tenant = await service.tenant(DEVICE)
    conn = await owner_of(service)
    await conn.execute("select pg_advisory_lock(hashtext('iot.lane'), 0)")
    now = wall_now_us()
    first = await service.post(tenant.token("t1"), [{"sensor": "temperature", "t": now, "v": 1}])
    assert first.status == 503
    body = [{"sensor": "temperature", "t": now + 1, "v": 1}]
    second = asyncio.create_task(service.post(tenant.token("t1"), body))

    async def waits_long() -> bool:
        return await conn.fetchval(
            "select coalesce(max(clock_timestamp() - query_start) > '1 s', false)"
            " from pg_stat_activity where wait_event = 'advisory'"
        )

    await eventually(waits_long, 10)
    await conn.execute("select pg_advisory_unlock(hashtext('iot.lane'), 0)")
    assert (await second).body["accepted"] == 1


async def test_a_reading_that_nobody_waits_for_any_more_is_stored_all_the_same(
    start_service, owner_of
):
    """A device that hangs up may send again: the same reading is then a duplicate."""
    service = await start_service(max_wait=0.3)
    tenant = await service.tenant(DEVICE)
    body = b'{"readings":[{"sensor":"temperature","t":%d,"v":1}]}' % wall_now_us()
    _, writer = await asyncio.open_connection("127.0.0.1", service.settings.port)
    writer.write(
        b"POST /v1/readings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
        % (tenant.token("t1").encode(), len(body), body)
    )
    await writer.drain()
    await asyncio.sleep(0)
    writer.close()
    conn: asyncpg.Connection = await owner_of(service)
    again = await service.post(tenant.token("t1"), body)
    assert again.body["accepted"] + again.body["duplicates"] == 1
    assert await conn.fetchval("select count(*) from iot.sensor_data") == 1
