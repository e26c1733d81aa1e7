"""The detector against its definition, computed the plain way."""

import statistics

import numpy as np
import pytest

from fleetplatform.processing.detectors.three_sigma import HOUR_US, HOURS, LARGEST, ThreeSigma

SENSORS = 3


def observe(detector: ThreeSigma, rows: list[tuple[int, int, float]]) -> list[tuple[float, bool]]:
    """Scores and flags of (sensor, time, value), sorted as a batch is."""
    sensor, t_us, value = (np.array(column) for column in zip(*rows, strict=True))
    score, anomaly = detector.observe(sensor.astype(np.int32), t_us, value.astype(np.float64))
    return list(zip(score.tolist(), anomaly.tolist(), strict=True))


def expected(past: list[tuple[int, int, float]], row: tuple[int, int, float]) -> float | None:
    """The score by the document's words: 24 whole hours before the reading's hour."""
    sensor, t_us, value = row
    hour = t_us // HOUR_US
    base = [v for s, t, v in past if s == sensor and hour - HOURS <= t // HOUR_US < hour]
    if len(base) < 30:
        return None
    mean, deviation = statistics.fmean(base), statistics.stdev(base)
    if deviation <= 1e-9 * max(1.0, abs(mean)):
        return 0.0
    return min(abs(value - mean) / deviation, 5.0)


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_the_definition(seed):
    random = np.random.default_rng(seed)
    detector = ThreeSigma()
    detector.reserve(SENSORS)
    past: list[tuple[int, int, float]] = []
    clock = [1000 * HOUR_US] * SENSORS
    for _ in range(30):
        batch = []
        for sensor in range(SENSORS):
            for _ in range(random.integers(0, 12)):
                most = HOUR_US if random.random() < 0.1 else 10**8
                clock[sensor] += int(random.integers(1, most))
                batch.append((sensor, clock[sensor], 1e6 + random.normal()))
        if not batch:
            continue
        for row, (score, anomaly) in zip(batch, observe(detector, batch), strict=True):
            wanted = expected(past + batch[: batch.index(row)], row)
            if wanted is None:
                assert np.isnan(score)
                assert not anomaly
            else:
                assert abs(score - wanted) <= 1e-6 * max(1.0, wanted)
        past += batch


def test_sums_carried_over_give_the_same_scores():
    rows = [(0, 1000 * HOUR_US + n * 60_000_000, float(n % 17)) for n in range(2000)]
    whole, first, second = ThreeSigma(), ThreeSigma(), ThreeSigma()
    for detector in (whole, first, second):
        detector.reserve(1)
    observe(whole, rows[:1000])
    observe(first, rows[:1000])
    second.add(*first.sums(0))
    for one, other in zip(observe(whole, rows[1000:]), observe(second, rows[1000:]), strict=True):
        assert one == other


def test_only_what_has_moved_is_written_down():
    detector = ThreeSigma()
    detector.reserve(1)
    observe(detector, [(0, 1000 * HOUR_US, 1.0), (0, 1001 * HOUR_US, 1.0)])
    assert detector.oldest_moved == 1000
    detector.settled()
    assert len(detector.sums(detector.oldest_moved)[0]) == 0
    observe(detector, [(0, 1001 * HOUR_US + 1, 1.0)])
    sensor, hour, count, _, _ = detector.sums(detector.oldest_moved)
    assert (sensor.tolist(), hour.tolist(), count.tolist()) == ([0], [1001], [2.0])


def test_a_monstrous_value_teaches_nothing():
    detector = ThreeSigma()
    detector.reserve(1)
    rows = [(0, 1000 * HOUR_US + n, float(n % 7)) for n in range(40)]
    observe(detector, [*rows, (0, 1000 * HOUR_US + 50, LARGEST), (0, 1000 * HOUR_US + 51, -1e308)])
    ((score, anomaly),) = observe(detector, [(0, 1001 * HOUR_US, 3.0)])
    assert score < 1
    assert not anomaly
