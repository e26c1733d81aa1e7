"""The detector seasonal: what it finds, what it does not flag, and that batches do not matter."""

import numpy as np
import pytest

from fleetplatform.processing import profile
from fleetplatform.processing.detectors import three_sigma
from fleetplatform.processing.detectors.seasonal import HOUR_US, SCORE_MAX, Seasonal

START_US = 495_240 * HOUR_US
"""A Monday, 00:00."""


def series(days: float, every_s: float, shape, seed: int = 3):
    """Times and values of one sensor; `shape` of hours since the start and a generator."""
    t_us = START_US + (np.arange(int(days * 86_400 / every_s)) * every_s * 1e6).astype(np.int64)
    return t_us, shape((t_us - START_US) / HOUR_US, np.random.default_rng(seed))


def diurnal(hours, random):
    return 20 + 6 * np.cos(2 * np.pi * hours / 24) + random.normal(0, 0.4, len(hours))


def weekly(hours, random):
    weekend = (hours // 24) % 7 >= 5
    return np.where(weekend, 0.0, diurnal(hours, random)) + random.normal(0, 0.4, len(hours))


def counter(hours, random):
    return np.cumsum(10 + random.normal(0, 1, len(hours)))


def walk(hours, random):
    return np.cumsum(random.normal(0, 1, len(hours)))


def spiky(hours, random):
    n = len(hours)
    return 10 + random.normal(0, 0.3, n) + (random.random(n) < 0.02) * random.exponential(8, n)


def on_off(hours, random):
    return np.where((hours % 24 >= 8) & (hours % 24 < 18), 100.0, 0.0)


def judge(t_us, value, detector=None):
    """Scores and flags of one sensor."""
    detector = detector or Seasonal()
    detector.reserve(1)
    return detector.observe(np.zeros(len(t_us), np.int32), t_us, value)


def test_a_sensor_takes_two_kibibytes_at_most():
    assert profile.PROFILE.itemsize + profile.HOUR_FIELDS * 8 <= 2048
    detector = Seasonal()
    detector.reserve(1000)
    held = sum(getattr(detector, name).nbytes for name in vars(detector))
    assert held <= 1000 * 2048


@pytest.mark.parametrize("seed", range(4))
def test_how_readings_are_cut_into_batches_changes_nothing(seed):
    """Scores are the same to the last bit, and so is what was learnt."""
    random = np.random.default_rng(seed)
    whole, cut = Seasonal(), Seasonal()
    parts = [series(4, float(random.choice([60, 700, 3600])), weekly, n) for n in range(5)]
    sensor = np.repeat(np.arange(5, dtype=np.int32), [len(t) for t, _ in parts])
    t_us, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    value[random.integers(0, len(value), 20)] *= 50
    whole.reserve(5)
    expected = whole.observe(sensor, t_us, value)
    score, anomaly = np.empty(len(sensor)), np.empty(len(sensor), dtype=np.bool_)
    edges = np.unique(random.choice(t_us, 40))
    batch = np.searchsorted(edges, t_us)
    for one in range(len(edges) + 1):
        at = np.flatnonzero(batch == one)
        cut.reserve(5)
        score[at], anomaly[at] = cut.observe(sensor[at], t_us[at], value[at])
    np.testing.assert_array_equal(score, expected[0])
    np.testing.assert_array_equal(anomaly, expected[1])
    for a, b in zip(whole.take(), cut.take(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(score).any(), f"seed {seed}"


def test_sensors_do_not_hear_of_each_other():
    """Alone, or beside others in another order: the same scores."""
    kinds = [diurnal, walk, on_off, counter]
    parts = [series(5, 900, kind, n) for n, kind in enumerate(kinds)]
    alone = [judge(*part)[0] for part in parts]
    for order in ((0, 1, 2, 3), (3, 1, 0, 2)):
        detector = Seasonal()
        detector.reserve(4)
        sensor = np.repeat(np.arange(4, dtype=np.int32), [len(parts[n][0]) for n in order])
        t_us = np.concatenate([parts[n][0] for n in order])
        value = np.concatenate([parts[n][1] for n in order])
        score, _ = detector.observe(sensor, t_us, value)
        np.testing.assert_array_equal(score, np.concatenate([alone[n] for n in order]))


def test_what_was_taken_and_put_goes_on_as_if_nothing_had_been():
    t_us, value = series(6, 600, diurnal)
    half = len(t_us) // 2 + 5
    one, other = Seasonal(), Seasonal()
    judge(t_us[:half], value[:half], one)
    moved, hours, learnt, profiles = one.take()
    assert moved.tolist() == learnt.tolist() == [0]
    other.put(moved, profiles, hours)
    for a, b in zip(
        judge(t_us[half:], value[half:], one), judge(t_us[half:], value[half:], other), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert [len(part) for part in Seasonal().take()] == [0, 0, 0, 0]


def test_only_an_hour_that_has_ended_moves_a_profile():
    detector = Seasonal()
    t_us, value = series(0.25, 600, diurnal)
    judge(t_us, value, detector)
    detector.take()
    judge(t_us[-1:] + 1_000_000, value[-1:], detector)
    moved, _, learnt, _ = detector.take()
    assert (moved.tolist(), learnt.tolist()) == ([0], [])


@pytest.mark.parametrize("every_s", [1, 30, 600, 3600])
def test_there_is_no_score_before_a_day_of_thirty_readings(every_s):
    t_us, value = series(2 if every_s > 1 else 1.1, every_s, diurnal)
    score, anomaly = judge(t_us, value)
    first_us = t_us[np.isfinite(score)][0] - START_US
    assert first_us >= 24 * HOUR_US
    assert first_us <= max(24, 31 * every_s / 3600) * HOUR_US
    assert not anomaly[np.isnan(score)].any()


@pytest.mark.parametrize("every_s", [30, 600, 3600])
def test_a_spike_is_found_where_the_day_hides_it_from_a_mean(every_s):
    """Eight deviations of the noise: well within the day's range, so three_sigma is blind to it."""
    t_us, value = series(28, every_s, diurnal)
    at = np.arange(len(t_us) // 2, len(t_us), len(t_us) // 11) + 3
    # Towards the mean of the day: no value of the day is surpassed.
    value[at] += np.where(value[at] > 20, -4.0, 4.0)
    score, anomaly = judge(t_us, value)
    assert anomaly[at].all()
    assert (score[at] > 3).all()
    others = np.delete(anomaly[len(t_us) // 2 :], at - len(t_us) // 2)
    assert others.mean() < 1e-3
    by_mean = three_sigma.make()
    by_mean.reserve(1)
    assert not by_mean.observe(np.zeros(len(t_us), np.int32), t_us, value)[1][at].any()


@pytest.mark.parametrize("shape", [diurnal, counter, walk, spiky, weekly])
def test_what_a_sensor_always_does_is_no_anomaly(shape):
    """In weeks four to six, fewer than one reading in five hundred is flagged."""
    t_us, value = series(42, 1200, shape)
    _, anomaly = judge(t_us, value)
    assert anomaly[len(t_us) // 2 :].mean() < 0.002


def test_anomalies_hardly_move_what_is_forecast():
    t_us, value = series(28, 600, diurnal)
    clean = Seasonal()
    judge(t_us, value, clean)
    bad = value.copy()
    random = np.random.default_rng(1)
    bad[random.integers(len(bad) // 2, len(bad), len(bad) // 200)] += 1e6
    dirty = Seasonal()
    judge(t_us, bad, dirty)
    forecasts = [one.take()[1][0, profile.BASE] for one in (clean, dirty)]
    assert abs(forecasts[0] - forecasts[1]) < 0.4


def test_a_level_that_has_moved_for_good_is_taken_as_the_new_one():
    t_us, value = series(20, 600, diurnal)
    value[t_us >= START_US + 10 * 24 * HOUR_US] += 40
    _, anomaly = judge(t_us, value)
    day = (t_us - START_US) // (24 * HOUR_US)
    assert anomaly[day == 10].any()
    assert not anomaly[day >= 14].any()


@pytest.mark.parametrize("value", [1e300, -1e300, 1e100, 1.7e308])
def test_a_monstrous_value_is_an_anomaly_and_teaches_nothing(value):
    t_us, values = series(6, 600, diurnal)
    plain, hit = Seasonal(), Seasonal()
    judge(t_us, values, plain)
    at = 700
    values = np.insert(values, at, value)
    t_us = np.insert(t_us, at, t_us[at - 1] + 1)
    score, anomaly = judge(t_us, values, hit)
    assert (score[at], anomaly[at]) == (SCORE_MAX, True)
    for a, b in zip(plain.take(), hit.take(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_constant_says_nothing_until_it_changes():
    t_us, value = series(5, 600, lambda hours, random: np.full(len(hours), 7.0))
    value[-1] += 0.5
    score, anomaly = judge(t_us, value)
    assert anomaly.tolist() == [False] * (len(value) - 1) + [True]
    assert score[-1] == SCORE_MAX
    assert np.nanmax(score[:-1]) == 0


def test_an_hour_that_is_over_is_neither_judged_nor_learnt():
    """The clock of a platform may be set back while its state is kept."""
    t_us, value = series(4, 600, diurnal)
    detector = Seasonal()
    judge(t_us, value, detector)
    detector.take()
    score, anomaly = judge(t_us[:50], value[:50] + 100, detector)
    assert np.isnan(score).all()
    assert not anomaly.any()
