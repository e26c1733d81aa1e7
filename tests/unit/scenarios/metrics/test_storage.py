"""What is measured of storage from the samples of the fleet."""

from pathlib import Path

import aiosql
import numpy as np

import fleetstorm.metrics.storage as room
from fleetsim.ledger.histogram import Histogram
from fleetsim.ledger.report import Sample
from fleetstorm.metrics.storage.ingest import Window
from fleetstorm.metrics.storage.roll import Roll
from fleetstorm.metrics.storage.standard import NAMES

SECOND_US = 1_000_000


def _sample(second: int, emitted: int, acknowledged: int, service_ms: int = 5) -> Sample:
    service = Histogram()
    service.add(np.array([service_ms * 1000]))
    return Sample(
        wall_us=second * SECOND_US, emitted=emitted, acknowledged=acknowledged, service=service
    )


def test_only_what_comes_after_the_moment_counts() -> None:
    window = Window(after_s=2.0)
    for second, (emitted, acknowledged) in enumerate([(10, 10), (10, 10), (900, 400), (1100, 400)]):
        window.record(_sample(second + 1, emitted, acknowledged), second + 1.0)
    measured = window.measured()
    assert measured is not None
    assert (measured.stored_per_s, measured.offered_per_s) == (400.0, 1000.0)
    assert measured.saturated is True


def test_a_load_that_is_all_stored_does_not_saturate() -> None:
    window = Window(after_s=0.0)
    for second in range(3):
        window.record(_sample(second, 100, 99), float(second))
    measured = window.measured()
    assert measured is not None
    assert measured.saturated is False


def test_a_load_that_ended_before_measures_nothing() -> None:
    window = Window(after_s=9.0)
    window.record(_sample(1, 100, 100), 1.0)
    assert window.measured() is None


def test_a_roll_that_was_never_reached_is_null() -> None:
    roll = Roll(at_s=3.0)
    roll.record(_sample(1, 100, 100))
    assert roll.measured() is None


def test_there_are_six_standard_queries_each_with_a_sentence() -> None:
    path = Path(room.__file__).with_name("standard.sql")
    queries = aiosql.from_path(path, "asyncpg")
    assert len(NAMES) == 6
    assert all(getattr(queries, name).__doc__ for name in NAMES)
