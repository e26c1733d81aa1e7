"""Whether the simulator was the limit, from lateness and CPU time."""

import numpy as np
import pytest

from fleetsim.ledger.histogram import Histogram
from fleetstorm.metrics.generator import generator_summary


def test_its_share_is_of_all_cpu_time_that_was_used() -> None:
    used = {"postgres": 30.0, "service": 10.0, "shards": 18.0, "driver": 2.0}
    assert generator_summary(Histogram(), used, 60.0, 2).cpu_share == pytest.approx(1 / 3)


def test_with_a_platform_elsewhere_its_share_is_of_what_the_machine_could_give() -> None:
    used = {"shards": 18.0, "driver": 6.0}
    assert generator_summary(Histogram(), used, 60.0, 2).cpu_share == pytest.approx(0.2)


def test_lateness_is_told_in_ms_and_null_when_nothing_was_sent() -> None:
    late = Histogram()
    late.add(np.full(100, 250_000))
    assert generator_summary(late, {}, 0.0, 2).schedule_lag_ms_p99 == pytest.approx(250, rel=0.01)
    assert generator_summary(Histogram(), {}, 0.0, 2).schedule_lag_ms_p99 is None
