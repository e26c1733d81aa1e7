"""Offered and stored are counted over one and the same time, that of the load."""

import pytest

from fleetplatform.wire.clock import ClockLaw
from fleetstorm.metrics.rates import Mark, rates

SECOND = 1_000_000
LAW = ClockLaw(virtual_anchor_us=7 * SECOND, wall_anchor_us=100 * SECOND, speed=1.0)


def mark(wall_s: float, virtual_s: float, emitted: int, acknowledged: int) -> Mark:
    """A mark at so many seconds after the start of the load."""
    return Mark(
        LAW.wall_anchor_us + round(wall_s * SECOND),
        LAW.virtual_anchor_us + round(virtual_s * SECOND),
        emitted,
        acknowledged,
    )


def test_a_platform_that_keeps_up_stores_what_is_offered() -> None:
    """100,000/s for a minute, reports of 200 ms, answers after 100 ms."""
    marks = [mark(s, s, s * 100_000 - 20_000, s * 100_000 - 30_000) for s in range(1, 61)]
    offered, stored = rates([*marks, mark(60.3, 60, 6_000_000, 6_000_000)], LAW)
    assert offered == 100_000.0
    assert stored == pytest.approx(99_833, abs=1)


def test_a_load_of_one_second_is_told_by_one_sample_and_the_draining() -> None:
    offered, stored = rates([mark(1.02, 1, 32, 32), mark(1.3, 1, 40, 40)], LAW)
    assert (offered, stored) == (40.0, 40.0)


def test_what_is_stored_while_draining_does_not_count() -> None:
    offered, stored = rates([mark(10, 10, 1000, 500), mark(20, 10, 1000, 1000)], LAW)
    assert (offered, stored) == (100.0, 50.0)


@pytest.mark.parametrize("seconds", [1, 2, 4, 60])
def test_stored_is_never_above_offered(seconds: int) -> None:
    marks = [mark(s, s, 40 * s - 8, 40 * s - 9) for s in range(1, seconds + 1)]
    offered, stored = rates([*marks, mark(seconds + 1, seconds, 40 * seconds, 40 * seconds)], LAW)
    assert offered == 40.0
    assert stored is not None
    assert stored <= offered


def test_a_fleet_that_came_to_the_end_late_took_longer() -> None:
    offered, _ = rates([mark(20, 10, 1000, 1000), mark(20.1, 10, 1000, 1000)], LAW)
    assert offered == 50.0


def test_virtual_time_is_told_in_seconds_of_the_wall() -> None:
    fast = ClockLaw(LAW.virtual_anchor_us, LAW.wall_anchor_us, 120.0)
    assert rates([mark(1, 120, 60, 60), mark(1.1, 120, 60, 60)], fast) == (60.0, 60.0)


def test_a_load_that_was_cut_short_is_told_until_its_last_sample() -> None:
    assert rates([mark(1, 1, 40, 30), mark(2, 2, 80, 70)], LAW) == (40.0, 35.0)


def test_at_speed_max_the_time_is_that_between_samples() -> None:
    marks = [mark(0, 5, 100, 100), mark(2, 10, 500, 400), mark(3, 10, 500, 500)]
    assert rates(marks, ClockLaw(0, 0, 0.0)) == (200.0, 150.0)


def test_where_nothing_was_emitted_there_is_no_rate() -> None:
    assert rates([], LAW) == (None, None)
    assert rates([mark(1, 1, 0, 0)], LAW) == (None, None)
