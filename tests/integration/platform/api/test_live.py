"""Readings followed as they come in: in order, each once, from any place; slow readers are told."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice

SSE = {"Accept": "text/event-stream"}
STATION = NewDevice(serial_number="s", device_type="climate_v2")
DEADLINE_S = 20.0


class Events:
    """Server-Sent Events of one answer, read one after another."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self, *kinds: str) -> tuple[str, str, Any]:
        """Kind, id and data of the next event of some kinds."""
        event = {"event": "message", "id": "", "data": ""}
        async with asyncio.timeout(DEADLINE_S):
            async for line in self._lines:
                if line and not line.startswith(":"):
                    name, _, value = line.partition(":")
                    event[name] = value.strip()
                elif not line:
                    if event["event"] in kinds:
                        is_json = event["data"].startswith("{")
                        data = json.loads(event["data"]) if is_json else event["data"]
                        return event["event"], event["id"], data
                    event = {"event": "message", "id": "", "data": ""}
        raise AssertionError("the stream has ended")


@asynccontextmanager
async def following(
    service: Any, key: str, query: str = "", **headers: str
) -> AsyncIterator[Events]:
    """A stream that is read from when it has begun."""
    sent = {"Authorization": f"Bearer {key}"} | SSE
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(base_url=service.url, timeout=DEADLINE_S) as http:
        url = f"/v1/readings/live{query}"
        async with http.stream("GET", url, headers=sent) as answer:
            assert answer.status_code == 200, await answer.aread()
            yield Events(answer)


async def send(service: Any, tenant: Any, count: int, sensor: str = "temperature") -> list[int]:
    """Post readings one µs apart; their times."""
    now_us = wall_now_us()
    times = [now_us - count + i for i in range(count)]
    body = [{"sensor": sensor, "t": t, "v": 20 + t % 5} for t in times]
    answer = await service.post(tenant.token("s"), body)
    assert (answer.status, answer.body["accepted"]) == (200, count)
    return times


async def part(service: Any, tenant: Any, query: str) -> Any:
    """One part as JSON, with its status."""
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    return await service.request("GET", f"/v1/readings/live{query}", headers, b"")


async def test_readings_come_in_order_each_once_and_go_on_after_any_of_them(platform):
    tenant = await platform.tenant(STATION)
    async with following(platform, tenant.api_key) as events:
        times = await send(platform, tenant, 5)
        times += await send(platform, tenant, 3)
        found = [await events.next("reading") for _ in range(8)]
    assert [data["t_us"] for _, _, data in found] == times
    assert [data["id"] for _, _, data in found] == [place for _, place, _ in found]
    for at in (0, 3, 6):
        async with following(platform, tenant.api_key, Last_Event_ID=found[at][1]) as events:
            rest = [await events.next("reading") for _ in range(7 - at)]
        assert rest == found[at + 1 :]
    last = found[-1][1]
    answer = await part(platform, tenant, f"?after={found[4][1]}")
    assert [one["t_us"] for one in answer.body["readings"]] == times[5:]
    assert (answer.body["next"], answer.body["missed"]) == (last, None)
    assert (await part(platform, tenant, f"?after={last}")).body["readings"] == []


async def test_nothing_is_missed_by_who_comes_back_before_a_first_reading(platform):
    tenant = await platform.tenant(STATION)
    async with following(platform, tenant.api_key) as events:
        _, place, _ = await events.next("message")
    times = await send(platform, tenant, 3)
    async with following(platform, tenant.api_key, Last_Event_ID=place) as events:
        found = [await events.next("reading") for _ in range(3)]
    assert [data["t_us"] for _, _, data in found] == times


async def test_only_what_is_asked_for_comes(platform):
    tenant, other = await platform.tenant(STATION), await platform.tenant(STATION)
    await send(platform, tenant, 1)
    start = (await part(platform, tenant, "")).body["next"]
    times = await send(platform, tenant, 2)
    await send(platform, tenant, 3, "humidity")
    await send(platform, other, 4)
    now_us = wall_now_us()
    answer = await platform.post(
        tenant.token("s"), [{"sensor": "temperature", "t": now_us, "v": 1e6}]
    )
    assert answer.body["accepted"] == 1
    temperature, device = tenant.sensor("s"), tenant.devices["s"].device_id

    async def asked(query: str) -> list[int]:
        body = (await part(platform, tenant, f"?after={start}{query}")).body
        return sorted(one["t_us"] for one in body["readings"])

    assert await asked(f"&sensor_id={temperature}") == [*times, now_us]
    assert await asked("&sensor_type=temperature") == [*times, now_us]
    assert await asked("&flagged=true") == [now_us]
    assert len(await asked(f"&device_id={device}")) == 6
    assert await asked("&anomalies=true") == []
    for query in (f"?sensor_id={other.sensor('s')}", f"?sensor_id={device}"):
        refused = await part(platform, tenant, query)
        assert (refused.status, refused.body["code"]) == (404, "not_found")
    for bad in ("x", "1-2-3", f"99999999999999999-{'0' * 32}-1"):
        refused = await part(platform, tenant, f"?after={bad}")
        assert (refused.status, refused.body["code"]) == (422, "invalid_cursor")


async def test_whoever_comes_back_after_long_is_told(platform):
    tenant = await platform.tenant(STATION)
    old_us = wall_now_us() - 7_200_000_000
    body = (await part(platform, tenant, f"?after={old_us}-{'0' * 32}-0")).body
    assert (body["missed"]["after_us"], body["missed"]["reason"]) == (old_us, "old")
    later = f"{wall_now_us() + 120_000_000}-{'0' * 32}-0"
    body = (await part(platform, tenant, f"?after={later}")).body
    assert body["missed"]["reason"] == "clock"


async def test_a_websocket_follows_too(platform):
    tenant = await platform.tenant(STATION)
    url = platform.url.replace("http", "ws", 1) + "/v1/readings/live"
    bearer = {"Authorization": f"Bearer {tenant.api_key}"}
    protocols = ["fleetstorm", f"bearer.{tenant.api_key}"]
    for how in ({"additional_headers": bearer}, {"subprotocols": protocols}):
        async with websockets.connect(url, **how) as opened, asyncio.timeout(DEADLINE_S):
            await asyncio.sleep(0)
            start = (await part(platform, tenant, "")).body["next"]
            times = await send(platform, tenant, 3)
            found = await _some(opened)
        assert [one["t_us"] for one in found["readings"]] == times
        after = f"{url}?after={start}"
        async with websockets.connect(after, **how) as opened, asyncio.timeout(DEADLINE_S):
            assert await _some(opened) == found
    foreign = f"{url}?sensor_id={tenant.devices['s'].device_id}"
    for where, how, code in (
        (f"{url}?sensor_type=temperature", {"additional_headers": {"Authorization": "x"}}, 4401),
        (url, {"additional_headers": {"Authorization": "Bearer x"}}, 4401),
        (url, {}, 4401),
        (foreign, {"additional_headers": bearer}, 4404),
    ):
        async with websockets.connect(where, **how) as opened, asyncio.timeout(DEADLINE_S):
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await opened.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


async def _some(opened: Any) -> Any:
    """The next message that holds readings."""
    while not (part := json.loads(await opened.recv()))["readings"]:
        assert part["next"]
    return part


@pytest.fixture
async def strict(start_service: Any) -> Any:
    """A service with one place, small parts and little patience."""
    return await start_service(
        live={"streams": 1, "interval": 0.02, "readings": 20, "behind": 0.1, "renewed": 0.1}
    )


async def test_a_slow_reader_is_told_how_many_it_missed(strict):
    tenant = await strict.tenant(STATION)
    async with following(strict, tenant.api_key) as events:
        await send(strict, tenant, 1000)
        got, missed = 0, 0
        while got + missed < 1000:
            kind, _, data = await events.next("reading", "missed")
            got += kind == "reading"
            missed += data["count"] if kind == "missed" else 0
        assert 0 < missed < 1000
        assert got + missed == 1000
        (t,) = await send(strict, tenant, 1)
        assert (await events.next("reading", "missed"))[2]["t_us"] == t


@pytest.mark.campaign
async def test_a_reader_that_stops_reading_is_let_go(start_service, eventually):
    """Socket buffers take some megabytes first."""
    service = await start_service(
        live={"streams": 1, "interval": 0.02, "readings": 5000, "behind": 60.0, "stalled": 0.5}
    )
    tenant = await service.tenant(STATION)
    with await _deaf(service, tenant.api_key):
        for _ in range(10):
            await send(service, tenant, 5000)

        async def free() -> bool:
            return await _status(service, tenant.api_key) == 200

        await eventually(free, 60)
    assert "took nothing" in service.log
    assert len(await send(service, tenant, 1)) == 1


async def test_places_are_limited(strict, eventually):
    tenant = await strict.tenant(STATION)
    headers = {"Authorization": f"Bearer {tenant.api_key}"} | SSE
    async with following(strict, tenant.api_key):
        refused = await strict.request("GET", "/v1/readings/live", headers, b"")
        assert (refused.status, refused.body["code"]) == (503, "too_many_streams")
        assert refused.headers["retry-after"]

    async def free() -> bool:
        return await _status(strict, tenant.api_key) == 200

    await eventually(free)


async def _deaf(service: Any, key: str) -> socket.socket:
    """A reader that asks for a stream and takes nothing more than its beginning."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, ("127.0.0.1", service.settings.port))
    asked = f"GET /v1/readings/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    await loop.sock_sendall(reader, f"{asked}Accept: {SSE['Accept']}\r\n\r\n".encode())
    assert (await loop.sock_recv(reader, 100)).startswith(b"HTTP/1.1 200")
    return reader


async def _status(service: Any, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"} | SSE
    async with (
        httpx.AsyncClient(base_url=service.url) as http,
        http.stream("GET", "/v1/readings/live", headers=headers) as answer,
    ):
        return answer.status_code


async def test_a_stream_ends_with_the_right_to_read_and_with_the_process(strict):
    tenant = await strict.tenant(STATION)
    owner = {"Authorization": f"Bearer {tenant.api_key}", "Content-Type": "application/json"}
    body = b'{"name": "reader", "role": "viewer"}'
    made = (await strict.request("POST", "/v1/api-keys", owner, body)).body
    async with following(strict, made["token"]) as events:
        gone = await strict.request("DELETE", f"/v1/api-keys/{made['api_key_id']}", owner, b"")
        assert gone.status == 204
        assert "the token is not known" in (await events.next("end"))[2]
    async with following(strict, tenant.api_key) as events:
        async with asyncio.timeout(5):
            assert await strict.terminate() == 0
