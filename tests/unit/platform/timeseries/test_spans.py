"""Which partitions a batch needs."""

import numpy as np
import pytest

from fleetplatform.timeseries.instants import EARLIEST, to_datetime, to_us
from fleetplatform.timeseries.partitions import DAY_US, DAYS, _days_and_types


def _needed(days: list[int], types: list[int] | None) -> set[tuple[int, int]]:
    measured_us = np.array(days, dtype=np.int64) * DAY_US + 5
    codes = None if types is None else np.array(types, dtype=np.int16)
    return _days_and_types(measured_us, codes)


@pytest.mark.parametrize(
    ("days", "types", "expected"),
    [
        ([20_000], [3], {(20_000, 3)}),
        ([20_000, 20_000], [3, 4], {(20_000, 3), (20_000, 4)}),
        ([20_000, 20_001], [3, 3], {(20_000, 3), (20_001, 3)}),
        ([20_000, 20_001, 20_000], [3, 4, 3], {(20_000, 3), (20_001, 4)}),
        ([-2, 20_001], [3, 18], {(-2, 3), (20_001, 18)}),
        ([20_000, 20_001], None, {(20_000, 0), (20_001, 0)}),
    ],
)
def test_each_day_and_type_is_needed_once(
    days: list[int], types: list[int] | None, expected: set[tuple[int, int]]
) -> None:
    assert _needed(days, types) == expected


def test_the_last_day_of_partitions_is_that_of_the_database() -> None:
    assert to_datetime(DAYS.stop * DAY_US).isoformat() == "2200-01-01T00:00:00+00:00"


@pytest.mark.parametrize("us", [0, 1, -1, 1_780_272_000_123_456, 253_402_300_799_999_999])
def test_instants_come_back(us: int) -> None:
    assert to_us(to_datetime(us)) == us


def test_the_earliest_is_zero() -> None:
    assert to_us(EARLIEST) == 0
