"""What places cost: a batch of readings without fixes, with them, and with geofences."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from fleetconf.units import parse

DEVICES = 2_000
BATCHES = 10
GEOFENCES = 100
STEP_DEG = 0.0027
"""300 m in 30 s."""
SECOND_US = 1_000_000
START_US = int(parse("2026-06-10T00:00:00Z", "instant") or 0)
LONGITUDES = """
insert into iot.sensors (
    organization_id, device_id, name, position, sensor_type, unit, value_min, value_max, resolution,
    sampling_interval
)
select organization_id, device_id, 'longitude', 1, {type}, '°', -180, 180, 0.000001, interval '10 s'
from iot.sensors
"""
CIRCLES = f"""
insert into iot.geofences (
    organization_id, name, shape, latitude, longitude, radius_m, bounds
)
select organization_id, n, '{{}}', 50 + n / 100.0, 10, 500,
    box(point(9.99, 49.99 + n / 100.0), point(10.01, 50.01 + n / 100.0))
from iot.organizations, generate_series(1, {GEOFENCES}) as n
"""

pytestmark = pytest.mark.bench


async def _milliseconds(bench: Any, types: tuple[int, int]) -> float:
    """The median batch of two readings a device; the second batch of a device is an update."""
    await bench.fetch(
        "truncate iot.sensor_data, iot.device_locations, iot.device_places, iot.geofence_events,"
        " iot.geofence_presences"
    )
    await bench.fetch(f"update iot.sensors set sensor_type = {types[0]} where position = 0")
    await bench.fetch(f"update iot.sensors set sensor_type = {types[1]} where position = 1")
    engine = await bench.engine("stream", START_US)
    begin, took = 50 + np.random.default_rng(1).random(2 * DEVICES), []
    sensor = np.arange(2 * DEVICES, dtype=np.int32)
    is_second = bench.directory.value_min == -180
    for batch in range(BATCHES):
        values = np.where(is_second, 10, begin + batch * STEP_DEG).round(6)
        t_us = np.full(2 * DEVICES, START_US + batch * 30 * SECOND_US)
        began = time.perf_counter()
        await bench.store_columns(engine, sensor, t_us, values, START_US + batch * SECOND_US)
        took.append((time.perf_counter() - began) * 1e3)
    return float(np.median(took[1:]))


async def test_what_places_cost(make_engine_bench: Callable[..., Awaitable[Any]]) -> None:
    bench = await make_engine_bench(DEVICES)
    await bench.fetch(LONGITUDES.format(type=18))
    plain = await _milliseconds(bench, (1, 18))
    bare = await _milliseconds(bench, (19, 20))
    await bench.fetch(CIRCLES)
    fenced = await _milliseconds(bench, (19, 20))
    events = (await bench.fetch("select count(*) from iot.geofence_events"))[0]["count"]
    print(
        f"\n{2 * DEVICES:,} readings a batch: {plain:.0f} ms; with {DEVICES:,} fixes {bare:.0f} ms,"
        f" {(bare - plain) * 1e3 / DEVICES:.0f} µs a fix; with {GEOFENCES} geofences"
        f" {fenced:.0f} ms ({events:,} events in {BATCHES} batches)"
    )
