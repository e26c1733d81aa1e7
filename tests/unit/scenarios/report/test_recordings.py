"""Series and histograms as the charts need them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fleetstorm.report.recordings import Series, histogram, one, series
from fleetstorm.results import load
from fleetstorm.results.summary import Summary


def test_a_counter_becomes_a_rate_and_a_reset_counts_as_nothing() -> None:
    counter = Series(np.array([0.0, 1.0, 3.0, 4.0]), np.array([0.0, 10.0, 30.0, 5.0]))
    rate = counter.per_second()
    assert rate.t_s.tolist() == [1.0, 3.0, 4.0]
    assert rate.value.tolist() == [10.0, 10.0, 0.0]


def test_a_rate_over_a_moment_is_not_shown() -> None:
    counter = Series(np.array([1.0, 2.0, 3.0, 3.1]), np.array([10.0, 20.0, 30.0, 33.0]))
    rate = counter.from_nothing().per_second()
    assert rate.t_s.tolist() == [1.0, 2.0, 3.1]
    assert rate.value.tolist() == pytest.approx([10.0, 10.0, 13 / 1.1])


def test_nothing_recorded_has_no_rate() -> None:
    assert len(Series(np.zeros(0), np.zeros(0)).from_nothing().per_second()) == 0


def test_a_long_series_is_thinned_and_keeps_its_mean() -> None:
    long = Series(np.arange(40_000.0), np.random.default_rng(1).normal(5, 1, 40_000))
    assert len(long.thinned()) == 400
    assert long.thinned().value.mean() == pytest.approx(long.value.mean())


def test_series_are_told_apart_by_their_label(
    summary: Summary, finished: Callable[[Summary], Path]
) -> None:
    run = load(finished(summary))
    assert set(series(run, "resources.cpu_s")) == {"postgres", "service", "shards", "driver"}
    assert one(run, "load.emitted").t_s[:3].tolist() == [1.0, 2.0, 3.0]
    assert len(one(run, "nothing.of.this.name")) == 0


def test_a_histogram_keeps_every_value(
    summary: Summary, finished: Callable[[Summary], Path]
) -> None:
    run = load(finished(summary))
    counts = histogram(run, "latency_ms.response", 60)
    assert counts is not None
    assert int(counts.count.sum()) == sum(run.histograms["count"].to_pylist())
    assert histogram(run, "latency_ms.age", 60) is None
