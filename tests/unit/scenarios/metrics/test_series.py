"""What is recorded stays within bounds and loses no count."""

import numpy as np

from fleetsim.ledger.histogram import Histogram
from fleetstorm.metrics.series import Distribution, Timeseries, all_windows


def of(*values_us: int) -> Histogram:
    histogram = Histogram()
    histogram.add(np.array(values_us, dtype=np.int64))
    return histogram


def test_rows_come_back_in_order_however_many_there_are() -> None:
    series = Timeseries()
    for i in range(50_001):
        series.add(i, 2 * i, "load.emitted", float(i), part="x")
    table = series.table()
    assert table["wall_us"].to_pylist() == list(range(50_001))
    assert table["labels"][0].as_py() == '{"part":"x"}'


def test_a_table_of_nothing_has_its_columns() -> None:
    assert Timeseries().table().column_names == [
        "wall_us", "virtual_us", "metric", "labels", "value",
    ]  # fmt: skip


def test_windows_are_bounded_and_keep_every_count() -> None:
    distribution = Distribution("latency_ms.response")
    for second in range(5000):
        distribution.add(float(second), of(second + 1))
    parts = distribution.parts()
    assert len(parts) <= 257
    assert sum(window.count for _, _, window in parts) == distribution.whole.count == 5000
    times = [wall_s for _, wall_s, _ in parts]
    assert times == sorted(times)
    assert times[-1] == 4999.0


def test_a_short_run_keeps_a_window_for_each_sample() -> None:
    distribution = Distribution("latency_ms.response")
    for second in range(3):
        distribution.add(float(second), of(1000, 2000))
    table = all_windows([distribution])
    assert table["wall_s"].to_pylist() == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]
    assert table["metric"].unique().to_pylist() == ["latency_ms.response"]
    assert table["bucket_lower"].to_pylist()[:2] == [1.0, 2.0]


def test_nothing_counted_is_no_window() -> None:
    distribution = Distribution("latency_ms.response")
    distribution.add(1.0, Histogram())
    assert distribution.parts() == []
