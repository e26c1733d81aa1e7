"""The engines side by side on sensors with a day of one-a-second history, in one run."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from fleetconf.units import parse

SENSORS = 20
SECOND_US = 1_000_000
DAY_S = 86_400
START_US = int(parse("2026-06-10T00:00:00Z", "instant") or 0)
NOW_US = START_US + DAY_S * SECOND_US
ROW_READINGS_A_SENSOR = 5
STREAM_SECONDS = 50
STREAM_BATCHES = 20

pytestmark = pytest.mark.bench


def _columns(first_s: int, seconds: int) -> tuple[Any, Any, Any]:
    """Every sensor once a second."""
    sensor = np.repeat(np.arange(SENSORS, dtype=np.int32), seconds)
    t_us = START_US + SECOND_US * np.tile(np.arange(first_s, first_s + seconds), SENSORS)
    return sensor, t_us, np.random.default_rng(first_s).normal(20, 1, len(sensor))


async def test_readings_a_second_of_both_engines(
    make_engine_bench: Callable[..., Awaitable[Any]],
) -> None:
    bench = await make_engine_bench(SENSORS)
    stream = await bench.engine("stream", START_US)
    for first_s in range(0, DAY_S, 3600):
        await bench.store_columns(stream, *_columns(first_s, 3600), START_US + first_s * SECOND_US)
    await bench.fetch("vacuum analyze iot.sensor_data")

    row = await bench.engine("row", NOW_US)
    count = SENSORS * ROW_READINGS_A_SENSOR
    began = time.perf_counter()
    await bench.store_columns(row, *_columns(DAY_S, ROW_READINGS_A_SENSOR), NOW_US)
    row_per_s = count / (time.perf_counter() - began)

    stream = await bench.engine("stream", NOW_US)
    count = SENSORS * STREAM_SECONDS * STREAM_BATCHES
    began = time.perf_counter()
    for batch in range(STREAM_BATCHES):
        first_s = DAY_S + 1000 + batch * STREAM_SECONDS
        await bench.store_columns(stream, *_columns(first_s, STREAM_SECONDS), NOW_US + batch)
    stream_per_s = count / (time.perf_counter() - began)
    print(
        f"\n{SENSORS} sensors, {SENSORS * DAY_S:,} readings of history:"
        f" row {row_per_s:,.1f}/s, stream {stream_per_s:,.0f}/s in batches of"
        f" {SENSORS * STREAM_SECONDS:,}, {stream_per_s / row_per_s:,.0f} ×"
    )
