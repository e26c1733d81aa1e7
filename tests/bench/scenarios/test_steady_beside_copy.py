"""What a whole run stores a second, beside a bare binary COPY into the same table, in one run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from fleetplatform import timeseries
from fleetplatform.batch import Rows
from fleetplatform.timeseries.partitions import Partitions

DEVICES = 25_000
RATES = (100_000, 200_000)
COPIES = 100
BATCH = 20_000
JULY_US = 1_782_864_000_000_000
"""A month in which no run has stored anything."""

pytestmark = pytest.mark.bench


@pytest.mark.parametrize("rate", RATES)
async def test_stored_a_second_beside_copy(
    database_url: str, tmp_path: Path, rate: int
) -> None:
    out = tmp_path / "run"
    command = [
        sys.executable, "-m", "fleetstorm", "run", "scenario=steady", "transport=http_arrow",
        f"fleet.devices={DEVICES}", f"load.rate={rate}/s", "duration=60s",
        "fleet.devices_per_gateway=5000", f"platform.database.url={database_url}", f"out={out}",
    ]  # fmt: skip
    subprocess.run(command, check=False, capture_output=True, env=os.environ.copy())
    summary = json.loads((out / "summary.json").read_text())
    copied_per_s = await _copied_per_s(database_url)
    load, latency = summary["load"], summary["latency_ms"]["response"]
    print(
        f"\noffered {load['offered_per_s']:,.0f}/s, stored {load['stored_per_s']:,.0f}/s,"
        f" response p50 {latency['p50']:,.0f} ms, p99 {latency['p99']:,.0f} ms,"
        f" lost {summary['verification']['lost']}, verdict {summary['verdict']};"
        f" bare COPY {copied_per_s:,.0f}/s on one connection"
    )


async def _copied_per_s(url: str) -> float:
    """The same rows by COPY alone: no network of devices, no rules, one connection."""
    async with asyncpg.create_pool(url, min_size=0, max_size=1) as pool:
        await Partitions().ensure(pool, np.array([JULY_US]), np.array([1], dtype=np.int16))
        batches = [_batch(number) for number in range(COPIES)]
        began = time.perf_counter()
        async with pool.acquire() as conn:
            for rows in batches:
                async with conn.transaction():
                    await timeseries.write(conn, rows)
        return COPIES * BATCH / (time.perf_counter() - began)


def _batch(number: int) -> Rows:
    sensor = np.arange(BATCH, dtype=np.uint64)
    nothing = np.full(BATCH, np.nan)
    one = np.ones(BATCH, dtype=np.uint64)
    return Rows(
        sensor=sensor.astype(np.int32),
        sensor_high=np.uint64(0x0199_AAAA_0000_7000) + sensor * np.uint64(16),
        sensor_low=sensor,
        device_high=sensor,
        device_low=sensor,
        organization_high=one,
        organization_low=one,
        sensor_type=one.astype(np.int16),
        measured_us=JULY_US + number * 200_000 + sensor.astype(np.int64),
        value=np.random.default_rng(number).normal(20, 3, BATCH),
        raw=nothing,
        quality=np.zeros(BATCH, dtype=np.int16),
        is_anomaly=np.zeros(BATCH, dtype=np.bool_),
        score=nothing,
        metadata=None,
        received_us=JULY_US + number * 200_000,
    )
