"""How long it takes to enrol a fleet through the API: devices with sensors, tokens, calibrations.

The bar is 100,000 devices in 60 s, with nothing in the organization, and with a dynamic group.
"""

import asyncio
import time
from typing import Any

import pytest

from fleetplatform.wire.resources.devices import DeviceChange, NewCalibration, NewDevice, NewDevices

DEVICES = 100_000
REQUEST_DEVICES = 2_000
SENDERS = 2
BAR_S = 60.0

pytestmark = pytest.mark.bench

CALIBRATION = NewCalibration(sensor="temperature", multiplier=1.01, offset=-0.2)


def _devices(start: int) -> NewDevices:
    return NewDevices(
        devices=tuple(
            NewDevice(
                serial_number=f"bench-{number:06}",
                device_type="climate_v2",
                tags=("bench", f"site-{number % 50}"),
                firmware_version="2.0.0",
                calibrations=(CALIBRATION,),
            )
            for number in range(start, start + REQUEST_DEVICES)
        )
    )


async def _send(client: Any, starts: list[int], took_s: list[float]) -> None:
    while starts:
        body = _devices(starts.pop())
        began = time.perf_counter()
        await client.enrol(body)
        took_s.append(time.perf_counter() - began)


@pytest.mark.parametrize("dynamic_groups", [0, 5])
async def test_enrolment_of_a_fleet(running: Any, dynamic_groups: int) -> None:
    client = running.client()
    for number in range(dynamic_groups):
        await client.create_device_group(
            f"site {number}", "dynamic", {"tags": [f"site-{number}"], "status": "active"}
        )
    starts = list(reversed(range(0, DEVICES, REQUEST_DEVICES)))
    took_s: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_send(client, starts, took_s) for _ in range(SENDERS)))
    seconds = time.perf_counter() - began
    print(
        f"\n{DEVICES:,} devices with {3 * DEVICES:,} sensors, {dynamic_groups} dynamic groups:"
        f" {seconds:.1f} s (bar {BAR_S:g} s), {REQUEST_DEVICES:,} a request,"
        f" {SENDERS} senders, request p50 {sorted(took_s)[len(took_s) // 2]:.2f} s,"
        f" max {max(took_s):.2f} s"
    )
    began = time.perf_counter()
    await client.create_device_group("all", "dynamic", {"tags": ["bench"]})
    made = time.perf_counter()
    device = (await client.find_device("bench-000007")).device_id
    changed = time.perf_counter()
    await client.change_device(device, DeviceChange(tags=()))
    print(
        f"a group of all of them was made in {made - began:.2f} s, a device left it in"
        f" {(time.perf_counter() - changed) * 1000:.1f} ms"
    )
