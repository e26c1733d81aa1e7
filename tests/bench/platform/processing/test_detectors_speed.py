"""What scoring a reading costs with each detector, in batches of 20,000: CPU time."""

import time

import numpy as np
import pytest

from fleetconf import kinds

pytestmark = pytest.mark.bench

BATCH = 20_000
HOUR_US = 3_600_000_000
START_US = 1_780_272_000_000_000
ROUNDS = 60


@pytest.mark.parametrize("detector", ["three_sigma", "seasonal"])
@pytest.mark.parametrize(
    ("sensors", "every_s"), [(20_000, 60), (2_000, 6), (200_000, 60)], ids=str
)
def test_scoring_a_batch(detector: str, sensors: int, every_s: int) -> None:
    """Batch after batch in virtual time, so that hours end as they do under load."""
    one = kinds.find("fleetplatform.processing.detectors")[detector].make()
    one.reserve(sensors)
    random = np.random.default_rng(1)
    value = random.normal(20, 2, BATCH)
    within, over = [], []
    each = max(1, BATCH // sensors)
    started_us, part, hour = START_US, 0, -1
    for n in range(ROUNDS + 31 * 60):
        first = part * BATCH % sensors
        sensor = np.repeat(np.arange(first, first + BATCH // each, dtype=np.int32), each)
        t_us = started_us + np.tile(np.arange(each) * every_s * 1_000_000, BATCH // each)
        part += 1
        if part * BATCH >= sensors:
            part, started_us = 0, started_us + each * every_s * 1_000_000
        if n < 31 * 60 and n % 60 and t_us[0] // HOUR_US == hour:
            continue  # a sample of a day and more, so that there are baselines
        began = time.process_time()
        one.observe(sensor, t_us, value)
        taken = time.process_time() - began
        new_hour, hour = t_us[0] // HOUR_US != hour, int(t_us[0] // HOUR_US)
        if n >= 31 * 60:
            (over if new_hour else within).append(taken / BATCH * 1e6)
    print(
        f"\n{detector}, {sensors:,} sensors: {np.median(within):.3f} µs a reading within an hour"
        + (f", {np.median(over):.2f} in the batch that begins one" if over else "")
    )
