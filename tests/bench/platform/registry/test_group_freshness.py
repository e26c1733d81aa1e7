"""How soon a dynamic group obeys: from the API's answer to a change to the first query that does.

100 changes of devices and rules while devices send 20,000 readings/s; the bar is a p99 of 1 s.
"""

import asyncio
import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import numpy as np
import pytest

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE, encode_arrow
from fleetplatform.wire.resources.device_groups import DeviceGroupChange
from fleetplatform.wire.resources.devices import DeviceChange, NewDevice, NewDevices

GATEWAYS = 4
DEVICES_A_GATEWAY = 500
READINGS_PER_S = 20_000
POST_INTERVAL_S = 0.25
GROUPS = 10
CHANGES = 100
WARM_UP_S = 5.0
BAR_S = 1.0

pytestmark = pytest.mark.bench


class Sender:
    """A gateway that posts readings of the sensors behind it, at a steady rate."""

    def __init__(self, url: str, token: str, sensors: list[UUID]) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": ARROW_MEDIA_TYPE}
        self._high = np.array([one.int >> 64 for one in sensors], dtype=np.uint64)
        self._low = np.array([one.int & (2**64 - 1) for one in sensors], dtype=np.uint64)
        self.accepted = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped: one post each interval, the next at once where one took longer."""
        count = round(READINGS_PER_S * POST_INTERVAL_S / GATEWAYS)
        due = time.perf_counter()
        while not stop.is_set():
            self.accepted += await asyncio.to_thread(self._post, count)
            due += POST_INTERVAL_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        self._connection.close()

    def _post(self, count: int) -> int:
        at = np.arange(count) % len(self._high)
        t_us = wall_now_us() + np.arange(count, dtype=np.int64)
        body = encode_arrow(self._high[at], self._low[at], t_us, np.full(count, 21.5))
        self._connection.request("POST", "/v1/readings", body, self._headers)
        answer = self._connection.getresponse()
        content = json.loads(answer.read())
        return int(content["accepted"]) if answer.status == 200 else 0


async def _enrol(running: Any) -> tuple[list[Sender], dict[str, UUID]]:
    """Gateways that send, and the devices behind them by serial number."""
    senders, found = [], {}
    for number in range(GATEWAYS):
        new = (
            NewDevice(serial_number=f"g{number}", device_type="gateway"),
            *(
                NewDevice(
                    serial_number=f"{number}-{n}", device_type="climate_v2", gateway=f"g{number}"
                )
                for n in range(DEVICES_A_GATEWAY)
            ),
        )
        enrolled = (await running.client().enrol(NewDevices(devices=new))).devices
        sensors = [sensor for one in enrolled for sensor in one.sensor_ids]
        senders.append(Sender(running.url, enrolled[0].token or "", sensors))
        pairs = zip(new[1:], enrolled[1:], strict=True)
        found |= {one.serial_number: device.device_id for one, device in pairs}
    return senders, found


class Change:
    """Change number n: of a device's tags, firmware or status, or of a group's rule."""

    def __init__(self, running: Any, groups: list[UUID], devices: dict[str, UUID], n: int) -> None:
        self.client, self.n = running.client(), n
        self.group = groups[n % GROUPS]
        self.serial, self.device = list(devices.items())[n * 17 % len(devices)]
        self.path = f"/v1/devices?group={self.group}&serial={self.serial}"

    async def make(self) -> None:
        tag, firmware = f"t{self.n}", f"{self.n}.1"
        rule = {"any": [{"tags": tag}, {"firmware": firmware}, {"status": "maintenance"}]}
        match self.n % 4:
            case 0:
                await self.client.change_device(self.device, DeviceChange(tags=(tag,)))
                await self.client.change_device_group(self.group, DeviceGroupChange(rule=rule))
            case 1:
                await self.client.change_device_group(self.group, DeviceGroupChange(rule=rule))
                await self.client.change_device(self.device, DeviceChange(tags=(tag,)))
            case 2:
                await self.client.change_device_group(self.group, DeviceGroupChange(rule=rule))
                change = DeviceChange(firmware_version=firmware)
                await self.client.change_device(self.device, change)
            case 3:
                await self.client.change_device_group(self.group, DeviceGroupChange(rule=rule))
                await self.client.move_device(self.device, "maintenance", "a benchmark")


def _obeys(connection: http.client.HTTPConnection, path: str, key: str) -> bool:
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    return bool(json.loads(connection.getresponse().read())["devices"])


async def test_a_group_obeys_at_once_under_load(running: Any) -> None:
    senders, devices = await _enrol(running)
    groups = [
        (await running.client().create_device_group(f"g{n}", "dynamic", {"tags": "x"})).group_id
        for n in range(GROUPS)
    ]
    stop = asyncio.Event()
    began = time.perf_counter()
    posts = [asyncio.create_task(sender.run(stop)) for sender in senders]
    await asyncio.sleep(WARM_UP_S)
    parts = urlsplit(running.url)
    asks = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    took_s, queries = [], 0
    for n in range(CHANGES):
        change = Change(running, groups, devices, n)
        assert not await asyncio.to_thread(_obeys, asks, change.path, running.api_key)
        await change.make()
        answered, obeys = time.perf_counter(), False
        while not obeys:
            obeys = await asyncio.to_thread(_obeys, asks, change.path, running.api_key)
            queries += 1
        took_s.append(time.perf_counter() - answered)
    asks.close()
    stop.set()
    await asyncio.gather(*posts)
    rate = sum(sender.accepted for sender in senders) / (time.perf_counter() - began)
    p50, p99 = np.percentile(took_s, [50, 99]) * 1000
    print(
        f"\n{CHANGES} changes under {rate:,.0f} readings/s: the answer that obeys came after"
        f" p50 {p50:.1f} ms, p99 {p99:.1f} ms (bar {BAR_S * 1000:g} ms),"
        f" with query {queries / CHANGES:.2f} on average"
    )
