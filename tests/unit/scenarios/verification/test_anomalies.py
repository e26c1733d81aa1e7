"""The arithmetic of the measure, and the random detector against one that draws every reading."""

from uuid import UUID

import numpy as np
import pytest

from fleetstorm.results.summary import Detection
from fleetstorm.verification.anomalies import (
    _Outside,
    _Seen,
    _Spans,
    f1_of,
    merge,
    random_detection,
)

A, B = UUID(int=1), UUID(int=2)


def spans(*rows: tuple[UUID, int, int]) -> _Spans:
    return _Spans(*(list(column) for column in zip(*rows, strict=True)))


def seen(judged: list[int]) -> _Seen:
    none = np.zeros(len(judged), dtype=np.int64)
    return _Seen(np.array(judged, dtype=np.int64), none, none - 1)


def test_spans_of_one_sensor_that_touch_become_one():
    given = spans((B, 0, 10), (A, 20, 30), (A, 5, 20), (A, 40, 50), (A, 41, 45))
    merged = merge(given, 0)
    assert merged == spans((A, 5, 30), (A, 40, 50), (B, 0, 10))
    assert merge(given, 10) == spans((A, 5, 60), (B, 0, 20))


@pytest.mark.parametrize(
    ("precision", "recall", "f1"),
    [(None, 0.0, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.5, 1.0, 2 / 3), (0.25, 0.25, 0.25)],
)
def test_f1_is_the_harmonic_mean(precision, recall, f1):
    assert f1_of(precision, recall) == pytest.approx(f1)


def test_the_random_detector_finds_what_flagging_every_reading_by_chance_would():
    judged, outside, rate = [3, 40, 500, 0], 20_000, 0.004
    given = spans(*((A, n * 10**12, n * 10**12 + 600_000_000) for n in range(len(judged))))
    found = random_detection(
        given, seen(judged), sum(judged), _Outside(outside, 80), rate, np.random.default_rng(1)
    )
    random = np.random.default_rng(2)
    recalls, precisions = [], []
    for _ in range(2000):
        flags = [random.random(n) < rate for n in judged if n]
        right, wrong = sum(f.sum() for f in flags), (random.random(outside) < rate).sum()
        recalls.append(np.mean([f.any() for f in flags]))
        precisions.append(right / max(1, right + wrong))
    assert found.faults == 3
    assert found.recall == pytest.approx(np.mean(recalls), abs=0.05)
    assert found.precision == pytest.approx(np.mean(precisions), abs=0.01)
    assert found.delay_s is not None
    assert 0 < found.delay_s < 600


def test_what_never_flags_by_chance_is_the_null_detector():
    given = spans((A, 0, 10))
    found = random_detection(given, seen([5]), 5, _Outside(9, 0), 0.0, np.random.default_rng(1))
    assert found == Detection(faults=1, recall=0.0, f1=0.0)
