"""A simulated fleet drives about, and the platform knows where it was: end to end over HTTP."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.ledger.report import Disposition
from fleetsim.load.profiles import steady
from fleetsim.settings import (
    DeviceTypeSettings,
    FleetOrganization,
    FleetPlan,
    FleetSettings,
    LoadSettings,
)
from fleetsim.shard.shard import Shard
from fleetsim.transport.kinds import http_json

DEVICES = 4
TICKS = 30
SPEED = 150.0
TRACKER = "cold_chain_tracker"


def _tree(name: str) -> dict[str, Any]:
    path = Path(fleetconf.__file__).parent / f"{name}.yaml"
    tree: dict[str, Any] = yaml.safe_load(path.read_text())
    return tree


def _plan(url: str, key: str, start_us: int) -> FleetPlan:
    transport = _tree("transport/http_json")
    del transport["kind"]
    return FleetPlan(
        run_id="places", seed=5, start_us=start_us, duration_s=TICKS * 10.0,
        fleet=FleetSettings(
            devices=DEVICES, mix={TRACKER: 1.0}, shards=1, devices_per_shard=None,
            devices_per_gateway=1000, regions={},
        ),
        load=LoadSettings(profile=steady.Settings(), interval=10.0, rate=None),
        transport=convert(transport, http_json.Settings),
        device_types={TRACKER: convert(_tree(f"device_type/{TRACKER}"), DeviceTypeSettings)},
        url=url, organizations=(FleetOrganization(name="one", share=1.0, token=key),), rules=(),
    )  # fmt: skip


async def _play(plan: FleetPlan) -> tuple[Any, Any]:
    """The ids of the sensors in the shard's order, and every reading that was acknowledged."""
    shard = Shard(plan, 0)
    await shard.open()
    await shard.enrol()
    law = ClockLaw(plan.start_us, wall_now_us(), SPEED)
    await shard.begin(law)
    try:
        await shard.advance(plan.start_us + TICKS * 10_000_000, law)
        await shard.drain(10.0)
        report, _ = await shard.close_books()
        readings = await shard.readings(np.arange(report.sensors))
    finally:
        await shard.stop()
    assert (readings.disposition == Disposition.ACKNOWLEDGED).all()
    return report, readings


async def test_every_fix_of_a_fleet_is_history_and_the_newest_is_its_place(
    platform: Any, specification: Any, platform_rows: Any
) -> None:
    async with platform.operator() as operator:
        await operator.put_device_type(specification(TRACKER))
    tenant = await platform.tenant()
    start_us = wall_now_us() - (TICKS + 6) * 10_000_000
    report, readings = await _play(_plan(platform.url, tenant.api_key, start_us))

    ids = [
        (int(high) << 64) | int(low)
        for high, low in zip(report.sensor_high, report.sensor_low, strict=True)
    ]
    sensors = {
        row["sensor_id"].int: (row["device_id"], row["name"])
        for row in await platform_rows.fetch(
            "select sensor_id, device_id, name from iot.sensors where organization_id = $1",
            tenant.organization_id,
        )
    }
    tracks: dict[Any, dict[int, dict[str, float]]] = {}
    for sensor, t_us, raw in zip(
        readings.sensor.tolist(), readings.t_us.tolist(), readings.raw.tolist(), strict=True
    ):
        device, name = sensors[ids[sensor]]
        tracks.setdefault(device, {}).setdefault(t_us, {})[name] = raw
    assert len(tracks) == DEVICES
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    for device, fixes in tracks.items():
        path = f"/v1/devices/{device}/location"
        answer = await platform.request("GET", f"{path}s?limit=1000", headers, b"")
        found = [
            (one["valid_from_us"], one["latitude"], one["longitude"])
            for one in answer.body["locations"]
        ]
        sent = [(t, fix["latitude"], fix["longitude"]) for t, fix in sorted(fixes.items())]
        assert found == sent
        assert len(found) == TICKS
        place = (await platform.request("GET", path, headers, b"")).body
        assert (place["valid_from_us"], place["latitude"]) == found[-1][:2]
        assert place["source"] == "reported"
