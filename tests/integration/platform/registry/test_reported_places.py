"""Places that devices report: both engines make of any batches what a plain model makes of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from fleetconf.units import parse

SECOND_US = 1_000_000
START_US = int(parse("2026-06-30T00:00:00Z", "instant") or 0)
DEVICES = 4
BATCHES = 30
CIRCLE = (0.0, 0.0, 1_000.0)
SQUARE = [(-0.004, 0.002), (-0.004, 0.02), (0.004, 0.02), (0.004, 0.002)]
BECOME_TRACKERS = """
with latitude as (
    update iot.sensors set sensor_type = 19, value_min = -90, value_max = 90
    returning organization_id, device_id
)
insert into iot.sensors (
    organization_id, device_id, name, position, sensor_type, unit, value_min, value_max, resolution,
    sampling_interval
)
select
    organization_id, device_id, 'longitude', 1, 20, '°', -180, 180, 0.000001, interval '10 s'
from latitude
"""
GEOFENCES = """
insert into iot.geofences (
    organization_id, name, shape, latitude, longitude, radius_m, outline, bounds
)
select o.organization_id, g.*
from iot.organizations as o, (values
    ('circle', '{}'::jsonb, 0::float8, 0::float8, 1000::float8, null, box '((-1,-1),(1,1))'),
    ('square', '{}', null, null, null,
     polygon '((0.002,-0.004),(0.02,-0.004),(0.02,0.004),(0.002,0.004))',
     box '((0.002,-0.004),(0.02,0.004))')
) as g
"""
HISTORY = """
select d.serial_number, (extract(epoch from valid_from) * 1000000)::bigint, latitude, longitude,
    source
from iot.{table} join iot.devices as d using (organization_id, device_id)
order by 1, 2
"""
EVENTS = """
select d.serial_number, g.name, (extract(epoch from occurred_at) * 1000000)::bigint, event,
    e.latitude, e.longitude
from iot.geofence_events as e
join iot.devices as d using (organization_id, device_id)
join iot.geofences as g using (organization_id, geofence_id)
order by 1, 2, 3
"""
PRESENCES = """
select d.serial_number, g.name
from iot.geofence_presences
join iot.devices as d using (organization_id, device_id)
join iot.geofences as g using (organization_id, geofence_id)
order by 1, 2
"""
EMPTY = """
truncate iot.sensor_data, iot.device_locations, iot.device_places, iot.geofence_events,
    iot.geofence_presences, iot.sensor_hourly_sums, iot.detector_checkpoints
"""

MakeBench = Callable[..., Awaitable[Any]]
Batch = list[tuple[int, int, int, float]]
"""Device, 0 for its latitude or 1 for its longitude, time, value as sent."""


def _is_inside(name: str, latitude: float, longitude: float) -> bool:
    if name == "square":
        return -0.004 <= latitude <= 0.004 and 0.002 <= longitude <= 0.02
    return bool(np.hypot(latitude, longitude) * np.pi * 6_371_008.8 / 180 <= CIRCLE[2])


@dataclass
class Model:
    """What is known of every device after some batches, one reading after the other."""

    stored: dict[tuple[int, int, int], float] = field(default_factory=dict)
    history: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    inside: set[tuple[str, str]] = field(default_factory=set)
    events: list[tuple[Any, ...]] = field(default_factory=list)

    def take(self, batch: Batch) -> None:
        """One batch: stores what is new, then sees which fixes are whole."""
        for device, half, time, value in batch:
            # Device 1's latitude is calibrated.
            value = value * 1.5 - 0.25 if (device, half) == (1, 0) else value
            self.stored.setdefault((device, half, time), value)
        whole = sorted({(d, t) for d, half, t in self.stored if (d, 1 - half, t) in self.stored})
        newest = dict(self.places)
        for device, time in whole:
            place = self.stored[device, 0, time], self.stored[device, 1, time]
            fix = f"d{device}", time
            if fix in self.history or abs(place[0]) > 90 or abs(place[1]) > 180:
                continue
            self.history[fix] = round(place[0], 9) + 0.0, round(place[1], 9) + 0.0
            if time > newest.get(fix[0], 0):
                self._move(*fix)

    def _move(self, device: str, time: int) -> None:
        place = self.history[device, time]
        self.places[device] = time
        for name in ("circle", "square"):
            was, now = (device, name) in self.inside, _is_inside(name, *place)
            if was != now:
                self.events.append((device, name, time, "enter" if now else "leave", *place))
                (self.inside.add if now else self.inside.remove)((device, name))


def _batches(seed: int) -> list[Batch]:
    """Fixes whole, in halves, late, again, with another value, and off the earth."""
    rng = np.random.default_rng(seed)
    batches: list[Batch] = []
    sent: Batch = []
    for number in range(BATCHES):
        batch: Batch = []
        for device in rng.permutation(DEVICES).tolist():
            for _ in range(rng.integers(0, 4)):
                late = 40 if rng.random() < 0.2 else 0
                time = START_US + int(number * 10 + rng.integers(0, 10) - late) * SECOND_US
                place = rng.normal(0, 0.008, 2).round(6)
                if rng.random() < 0.05:
                    place[0] += 100
                halves = [(device, half, time, float(place[half])) for half in (0, 1)]
                batch += halves if rng.random() < 0.8 else halves[:1]
                sent += halves
        again = [sent[i] for i in rng.integers(0, len(sent), 4)] if sent else []
        other = [(d, half, t, v + 0.01) for d, half, t, v in again[:2]]
        batch += again + other
        rng.shuffle(batch)
        if batch:
            batches.append([(int(d), int(h), int(t), float(v)) for d, h, t, v in batch])
    return batches


async def _play(bench: Any, kind: str, batches: list[Batch]) -> tuple[list[Any], ...]:
    """What is stored after all batches: the history, the places, the events, who is inside."""
    engine = await bench.engine(kind, START_US)
    directory = bench.directory
    serials = await _serials(bench)
    for number, batch in enumerate(batches):
        readings = [(serials[d, half], t, v) for d, half, t, v in batch]
        await bench.store(engine, readings, START_US + number * 10 * SECOND_US)
    assert directory.sensor_count == 2 * DEVICES
    queries = HISTORY.format(table="device_locations"), HISTORY.format(table="device_places")
    found = [await bench.fetch(query) for query in (*queries, EVENTS, PRESENCES)]
    return tuple([tuple(row.values()) for row in rows] for rows in found)


async def _serials(bench: Any) -> dict[tuple[int, int], int]:
    """(device, half) → index of the sensor in the directory."""
    rows = await bench.fetch(
        "select d.serial_number, s.sensor_type, s.sensor_id from iot.sensors as s"
        " join iot.devices as d using (organization_id, device_id)"
    )
    found = {}
    for row in rows:
        high, low = (np.array([part], np.uint64) for part in divmod(row["sensor_id"].int, 1 << 64))
        at = int(bench.directory.find_sensors(high, low)[0])
        found[int(row["serial_number"][1:]), row["sensor_type"] - 19] = at
    return found


async def test_all_engines_make_the_same_places_and_events_as_a_model(
    make_engine_bench: MakeBench,
) -> None:
    bench = await make_engine_bench(DEVICES)
    await bench.fetch(BECOME_TRACKERS)
    await bench.fetch(GEOFENCES)
    for seed in (1, 2):
        batches, model = _batches(seed), Model()
        for batch in batches:
            model.take(batch)
        history = [(*fix, *place, "reported") for fix, place in sorted(model.history.items())]
        places = [row for row in history if model.places.get(row[0]) == row[1]]
        expected = history, places, sorted(model.events), sorted(model.inside)
        assert len(history) > 100
        assert len(model.events) > 40
        for kind in ("stream", "set", "row"):
            assert await _play(bench, kind, batches) == expected, (kind, seed)
            await bench.fetch(EMPTY)


async def test_a_number_that_cannot_be_squared_spoils_no_batch(
    make_engine_bench: MakeBench,
) -> None:
    bench = await make_engine_bench(2)
    await bench.fetch(BECOME_TRACKERS)
    await bench.fetch(GEOFENCES)
    for kind, value in product(("stream", "set", "row"), (5e-324, -1e-300, 1e300)):
        engine = await bench.engine(kind, START_US)
        at = await _serials(bench)
        readings = [(at[0, 0], START_US, value), (at[0, 1], START_US, 0.0)]
        await bench.store(engine, readings, START_US)
        found = await bench.fetch("select latitude, longitude from iot.device_places")
        assert found == ([] if abs(value) > 90 else [{"latitude": 0.0, "longitude": 0.0}])
        await bench.fetch(EMPTY)
