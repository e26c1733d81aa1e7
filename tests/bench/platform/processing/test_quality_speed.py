"""What it costs to judge readings by the ones before them, in batches of 20,000."""

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleetplatform.processing.continuity import Continuity
from fleetplatform.processing.quality import Tolerances

pytestmark = pytest.mark.bench

READINGS = 20_000
BATCHES = 200
TOLERANCES = Tolerances(gap_intervals=5, stale_after_us=900_000_000, clock_skew_us=60_000_000)


@pytest.mark.parametrize(("sensors", "each"), [(100_000, 1), (20_000, 1), (1_000, 20)])
def test_a_batch(sensors: int, each: int, capsys: pytest.CaptureFixture[str]) -> None:
    """In order, nothing wrong: `each` readings of some of the sensors."""
    random = np.random.default_rng(1)
    limits: Any = SimpleNamespace(
        interval_us=np.full(sensors, 10_000_000), rate_max=np.full(sensors, 0.5),
        flat_after_us=np.full(sensors, 3_600_000_000),
    )  # fmt: skip
    continuity = Continuity()
    continuity.reserve(sensors)
    took = []
    for batch in range(BATCHES):
        chosen = np.sort(random.choice(sensors, READINGS // each, replace=False)).astype(np.int32)
        sensor = np.repeat(chosen, each)
        measured_us = batch * 1_000_000 + np.tile(np.arange(each) * 1000, len(chosen))
        rows: Any = SimpleNamespace(
            sensor=sensor, measured_us=measured_us, value=random.normal(20, 0.1, READINGS),
            raw=np.full(READINGS, np.nan), quality=np.zeros(READINGS, np.int16),
            received_us=int(measured_us.max()),
        )  # fmt: skip
        start = time.perf_counter()
        continuity.observe(rows, limits, TOLERANCES)
        took.append((time.perf_counter() - start) / READINGS * 1e6)
    low, median, high = np.percentile(took, [10, 50, 90])
    with capsys.disabled():
        print(
            f"\n{sensors} sensors, {each} readings of each: {median:.3f} µs a reading"
            f" (p10 {low:.3f}, p90 {high:.3f})"
        )
