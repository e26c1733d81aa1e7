"""SIGTERM: what is in flight is committed or refused, and the process ends with 0."""

import asyncio
import json

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice
from fleetsim.transport.http import HttpClient, head, request

LANES = 32


async def test_sigterm_under_load_loses_nothing_that_was_acknowledged(start_service, owner_of):
    service = await start_service()
    devices = [
        NewDevice(serial_number=f"t{n}", device_type="thermometer") for n in range(LANES)
    ]
    tenant = await service.tenant(*devices)
    client = HttpClient(service.url, lanes=LANES, timeout_s=20)
    now = wall_now_us()
    acknowledged: list[tuple[int, int]] = []
    sent: set[tuple[int, int]] = set()
    stop = asyncio.Event()

    async def run(lane: int) -> set[int]:
        """Post one reading after another until the service is gone; the statuses seen."""
        opening = head(client, "/v1/readings", tenant.token(f"t{lane}"), "application/json")
        statuses = set()
        for number in range(1_000_000):
            body = b'{"readings":[{"sensor":"temperature","t":%d,"v":%d}]}' % (now + number, lane)
            sent.add((lane, now + number))
            reply = await client.exchange(lane, request(opening, body))
            statuses.add(reply.status)
            if reply.status == 200:
                assert json.loads(reply.body)["accepted"] == 1
                acknowledged.append((lane, now + number))
            elif reply.status == 0:
                return statuses
            if len(acknowledged) > 500:
                stop.set()
        raise AssertionError("the service did not end")

    lanes = [asyncio.create_task(run(lane)) for lane in range(LANES)]
    await asyncio.wait_for(stop.wait(), 30)
    code = await service.terminate()
    statuses = set().union(*(await asyncio.gather(*lanes)))
    client.close()
    assert code == 0, service.log
    assert statuses <= {200, 503, 0}
    conn = await owner_of(service)
    rows = await conn.fetch(
        "select measurement_value::int as lane,"
        " (extract(epoch from measurement_timestamp) * 1000000)::bigint as t from iot.sensor_data"
    )
    stored = {(row["lane"], row["t"]) for row in rows}
    assert len(rows) == len(stored)
    assert set(acknowledged) <= stored <= sent
    assert "Traceback" not in service.log


async def test_a_request_in_flight_is_answered_before_the_end(start_service, eventually):
    """The batch still waits for its companions when the signal comes."""
    service = await start_service(max_wait=5.0)
    tenant = await service.tenant(NewDevice(serial_number="t1", device_type="thermometer"))
    body = [{"sensor": "temperature", "t": wall_now_us(), "v": 1}]
    post = asyncio.create_task(service.post(tenant.token("t1"), body))

    async def is_queued() -> bool:
        page = (await service.request("GET", "/metrics", {}, b"")).body
        return b"fleetstorm_queue_readings 1.0" in page

    await eventually(is_queued, 4)
    assert await service.terminate() == 0
    answer = await post
    assert (answer.status, answer.body["accepted"]) == (200, 1)
