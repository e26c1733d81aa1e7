"""Engines judge readings alike, also one that begins again after any batch."""

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from fleetconf.units import parse
from fleetplatform.processing.quality import Quality

SECOND_US = 1_000_000
START_US = int(parse("2026-06-30T23:30:00Z", "instant") or 0)
LIMITS = """
update iot.sensors as s
set rate_max = l.rate_max, flat_after = l.flat_after::interval,
    sampling_interval = l.every::interval
from iot.devices as d
join (values
    ('d0', 0.5, '25 seconds', '10 seconds'),
    ('d1', 0.05, '40 seconds', '1 minute'),
    ('d2', null, '1 microsecond', '3 seconds'),
    ('d3', 2, null, '20 seconds')
) as l (serial_number, rate_max, flat_after, every) using (serial_number)
where d.device_id = s.device_id
"""
CALIBRATED = """
insert into iot.sensor_calibrations (
    organization_id, sensor_id, multiplier, offset_value, valid_from
)
select s.organization_id, s.sensor_id, 3, 1, timestamptz '2026-07-01T00:00:00Z'
from iot.sensors as s
join iot.devices as d using (device_id)
where d.serial_number in ('d0', 'd2')
"""
"""In the middle: the value changes, what the sensor sends does not."""
ROWS = """
select d.serial_number, r.measurement_timestamp, r.measurement_value, r.raw_value, r.data_quality
from iot.sensor_data as r
join iot.devices as d using (device_id)
order by d.serial_number, r.measurement_timestamp
"""
Batches = list[tuple[int, list[tuple[int, int, float]]]]


def _batches(random: np.random.Generator, count: int) -> Batches:
    """When each batch came and what was in it: runs of one value, leaps, silences, late, early."""
    clock_us = np.full(4, START_US)
    batches: Batches = []
    now_us = START_US
    while len(batches) < count:
        batch = []
        for sensor in random.integers(0, 4, 14).tolist():
            leap = 10 ** random.choice([0.0, 0.0, 1.0, 1.0, 1.5, 2.6])
            clock_us[sensor] += round(leap * random.random() * SECOND_US)
            t_us = int(clock_us[sensor])
            if random.random() < 0.1:
                t_us -= int(random.integers(0, 300)) * SECOND_US
            value = float(random.choice([*[20] * 14, 20.4, 60, -1e300, 1.7e308]))
            batch.append((sensor, t_us, value))
        batch += batch[:: int(random.integers(3, 14))]
        if batches:
            batch += batches[-1][1][:2]
        random.shuffle(batch)
        newest = max(t for _, t, _ in batch)
        lag_s = int(random.choice([1, 1, 1, 1000, -100]))
        now_us = max(now_us + 1, newest + lag_s * SECOND_US)
        batches.append((now_us, [(int(s), int(t), float(v)) for s, t, v in batch]))
    return batches


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 30), pytest.param(2, 150, marks=pytest.mark.campaign)]
)
async def test_engines_judge_alike(
    make_engine_bench: Callable[..., Awaitable[Any]], seed: int, count: int
) -> None:
    print(f"seed {seed}")
    bench = await make_engine_bench(4)
    await bench.fetch(LIMITS)
    await bench.fetch(CALIBRATED)
    batches = _batches(np.random.default_rng(seed), count)
    found = {}
    for kind, anew in (("row", False), ("set", False), ("stream", False), ("stream", True)):
        engine = await bench.engine(kind, START_US)
        for now_us, readings in batches:
            if anew:
                engine = await bench.engine(kind, now_us)
            await bench.store(engine, readings, now_us)
        found[kind, anew] = await bench.fetch(ROWS)
        await bench.fetch(
            "truncate iot.sensor_data, iot.sensor_hourly_sums, iot.detector_checkpoints"
        )
    rows = found["row", False]
    assert found["set", False] == rows
    assert found["stream", False] == rows
    assert found["stream", True] == rows
    counts = {one: sum(bool(row["data_quality"] & one) for row in rows) for one in Quality}
    print(len(rows), counts)
    rare = {one.name for one in Quality if counts[one] < 3}
    assert rare == {"UNCALIBRATED"}
    assert sum(row["data_quality"] == 0 for row in rows) > 10
