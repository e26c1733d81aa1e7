"""What follows a reading is judged by it, as a reader of the definitions would, one by one."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleetplatform.batch import Rows
from fleetplatform.processing.continuity import NEVER_US, Continuity
from fleetplatform.processing.quality import Quality, Tolerances

S = 1_000_000
TOLERANCES = Tolerances(gap_intervals=3, stale_after_us=600 * S, clock_skew_us=60 * S)
NOT_JUDGED_US = np.iinfo(np.int64).max


def limits(
    interval_s: list[float], rate_max: list[float], flat_after_s: list[float]
) -> SimpleNamespace:
    """As a directory has them, for some sensors; infinite: not judged."""
    return SimpleNamespace(
        interval_us=np.array([round(one * S) for one in interval_s]),
        rate_max=np.array(rate_max),
        flat_after_us=np.array(
            [NOT_JUDGED_US if one == np.inf else round(one * S) for one in flat_after_s]
        ),
    )


ONE = limits([10], [0.5], [60])


def rows_of(readings: list[tuple[int, int, float]], received_us: int) -> Rows:
    """(sensor, µs, value), put in order; what is not of interest is not there."""
    ordered = sorted(readings, key=lambda one: one[:2])
    sensor, measured_us, value = (list(one) for one in zip(*ordered, strict=True))
    nothing: Any = None
    return Rows(
        sensor=np.array(sensor, np.int32),
        sensor_high=nothing, sensor_low=nothing, device_high=nothing, device_low=nothing,
        organization_high=nothing, organization_low=nothing, sensor_type=nothing,
        is_anomaly=nothing, score=nothing, metadata=nothing,
        measured_us=np.array(measured_us), value=np.array(value, float),
        raw=np.full(len(value), np.nan), quality=np.zeros(len(value), np.int16),
        received_us=received_us,
    )  # fmt: skip


def bits(
    values: list[tuple[float, float]], bounds: Any = ONE, received_s: float | None = None
) -> list[int]:
    """Of (seconds, value) of one sensor, a batch each, received when measured."""
    continuity, found = Continuity(), []
    continuity.reserve(1)
    for at_s, value in values:
        at_us = round(at_s * S)
        rows = rows_of([(0, at_us, value)], at_us if received_s is None else round(received_s * S))
        continuity.observe(rows, bounds, TOLERANCES)
        found += rows.quality.tolist()
    return found


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([(0, 1), (10, 6), (20, 11.1)], [0, 0, Quality.RATE]),
        ([(0, 1), (1, 6), (2, 11.1)], [0, 0, Quality.RATE]),
        ([(0, 1), (20, 11), (40, 21.1)], [0, 0, Quality.RATE]),
        ([(0, 1), (30, 2), (60.000001, 3)], [0, 0, Quality.GAP]),
        ([(at, 7) for at in range(0, 90, 10)], [0] * 7 + [Quality.FLAT] * 2),
        ([(0, 7), (30, 7), (60, 7), (61, 7), (62, 8), (90, 7)], [0, 0, 0, Quality.FLAT, 0, 0]),
        ([(0, 7), (31, 7), (60, 7), (90, 7), (92, 7)],
         [0, Quality.GAP, 0, 0, Quality.FLAT]),
        ([(50, 1), (40, 99), (60, 1)], [0, Quality.LATE, 0]),
        ([(0, 1e308), (10, -1e308), (20, np.inf), (30, np.inf)],
         [0, Quality.RATE, Quality.RATE, 0]),
    ],
)  # fmt: skip
def test_one_sensor(readings: list[tuple[float, float]], expected: list[int]) -> None:
    """Exactly at a limit nothing is wrong; less than an interval counts as one."""
    assert bits(readings) == expected


def test_what_is_not_limited_is_not_judged() -> None:
    free = limits([10], [np.inf], [np.inf])
    assert bits([(0, 1), (1, 1e300), (2, -np.inf), (10_000_000, 1)], free) == [0, 0, 0, Quality.GAP]
    assert bits([(float(at), 7) for at in range(0, 9000, 10)], free) == [0] * 900


def test_what_comes_late_or_early_on_the_clock() -> None:
    assert bits([(400, 1), (399, 1)], received_s=1000) == [0, Quality.LATE]
    assert bits([(399.9, 1)], received_s=1000) == [Quality.STALE]
    assert bits([(1060, 1)], received_s=1000) == [0]
    assert bits([(1060.1, 1), (1060.05, 1)], received_s=1000) == [
        Quality.CLOCK_SKEW, Quality.CLOCK_SKEW | Quality.LATE
    ]  # fmt: skip


class Judge:
    """The definitions, one reading at a time, from everything that was there before."""

    def __init__(self, bounds: SimpleNamespace) -> None:
        self.bounds = bounds
        self.before: dict[int, list[tuple[int, float, int]]] = {}

    def __call__(self, sensor: int, at_us: int, value: float, received_us: int) -> int:
        stored = self.before.setdefault(sensor, [])
        quality = 32 if at_us - received_us > TOLERANCES.clock_skew_us else 0
        if stored and at_us < stored[-1][0]:
            return quality | 16
        quality |= 128 if received_us - at_us > TOLERANCES.stale_after_us else 0
        if stored:
            elapsed, interval = at_us - stored[-1][0], int(self.bounds.interval_us[sensor])
            quality |= 8 if elapsed > interval * TOLERANCES.gap_intervals else 0
            allowed = self.bounds.rate_max[sensor] * (max(elapsed, interval) / 1e6)
            quality |= 2 if abs(value - stored[-1][1]) > allowed else 0
        stored.append((at_us, value, quality))
        since = at_us
        for (earlier, other, _), (_, _, flags) in zip(stored[-2::-1], stored[::-1], strict=False):
            if other != value or flags & 8:
                break
            since = earlier
        return quality | (4 if at_us - since > self.bounds.flat_after_us[sensor] else 0)


@pytest.mark.parametrize("seed", range(8))
def test_batches_are_judged_as_readings_one_by_one(seed: int) -> None:
    print(f"seed {seed}")
    random = np.random.default_rng(seed)
    count = 12
    bounds = limits([1, 10, 60] * 4, [0.01, 0.5, 0.5, np.inf] * 3, [20, 100, np.inf, 100] * 3)
    continuity, judge = Continuity(), Judge(bounds)
    stored: set[tuple[int, int]] = set()
    seen = 0
    for batch in range(40):
        continuity.reserve(4 + batch)
        now_us = (1000 + batch * 20) * S
        sensors = random.integers(0, min(count, 4 + batch), 30).tolist()
        times = now_us + random.integers(-20, 3, 30) * S
        received_us = now_us + int(random.choice([0, 0, 900, -100])) * S
        readings = {}
        for sensor, at_us in zip(sensors, times.tolist(), strict=True):
            if (sensor, at_us) not in stored:
                readings[sensor, at_us] = float(random.choice([1, 1, 1, 2, 40]))
        stored |= readings.keys()
        rows = rows_of([(*key, value) for key, value in readings.items()], received_us)
        late = continuity.observe(rows, bounds, TOLERANCES)
        # A batch is judged against what was there when it came: what it has of late comes first.
        expected = [
            judge(s, t, v, received_us)
            for s, t, v in zip(
                rows.sensor.tolist(), rows.measured_us.tolist(), rows.value.tolist(), strict=True
            )
        ]
        assert rows.quality.tolist() == expected
        assert late.tolist() == [bool(one & 16) for one in expected]
        for one in expected:
            seen |= one
    assert seen == sum(Quality) - Quality.RANGE - Quality.UNCALIBRATED


def test_what_is_known_is_gone_on_from() -> None:
    """As after a restart: a flat run goes on, a gap is seen, a new sensor begins."""
    bounds = limits([10] * 3, [0.5] * 3, [60] * 3)
    continuity = Continuity()
    continuity.reserve(3)
    continuity.know(
        np.array([0, 1], np.int32), np.array([100 * S, 10 * S]), np.array([5.0, 5.0]),
        np.array([7.0, 7.0]), np.array([30 * S, 10 * S]),
    )  # fmt: skip
    rows = rows_of([(0, 110 * S, 7.0), (1, 110 * S, 7.0), (2, 110 * S, 7.0)], 110 * S)
    continuity.observe(rows, bounds, TOLERANCES)
    assert rows.quality.tolist() == [Quality.FLAT, Quality.GAP, 0]
    continuity.clear()
    continuity.reserve(1)
    assert continuity.newest_us.tolist() == [NEVER_US]
