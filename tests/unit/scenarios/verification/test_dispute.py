"""Every way in which rows can differ from what was sent is found, and nothing else."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetsim.ledger.report import Disposition, Readings
from fleetstorm.verification.dispute import Rows, compare

SENSORS, TICKS = 50, 2000


def readings(disposition: Disposition = Disposition.ACKNOWLEDGED) -> Readings:
    """100,000 readings of 50 sensors."""
    sensor = np.repeat(np.arange(SENSORS), TICKS)
    t_us = np.tile(np.arange(TICKS) * 1_000_000, SENSORS) + 1_780_000_000_000_000
    raw = np.random.default_rng(5).normal(20, 5, len(sensor)).round(2)
    return Readings(sensor, t_us, raw, np.full(len(sensor), disposition, dtype=np.int8))


ALL = readings()


def rows_of(given: Readings, order: np.ndarray | None = None) -> Rows:
    order = np.arange(len(given)) if order is None else order
    return Rows(given.sensor[order].copy(), given.t_us[order].copy(), given.raw[order].copy())


def wrong(found: object) -> dict[str, list[int]]:
    names = ("lost", "unexpected", "duplicated", "altered_reading", "altered_row")
    return {name: getattr(found, name).tolist() for name in names if len(getattr(found, name))}


def test_the_same_readings_in_any_order_are_right() -> None:
    order = np.random.default_rng(1).permutation(len(ALL))
    assert wrong(compare(ALL, rows_of(ALL, order))) == {}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, len(ALL) - 1))
def test_one_missing_among_100_000_is_named(missing: int) -> None:
    kept = np.delete(np.arange(len(ALL)), missing)
    assert wrong(compare(ALL, rows_of(ALL, kept))) == {"lost": [missing]}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, len(ALL) - 1))
def test_one_doubled_among_100_000_is_named(twice: int) -> None:
    order = np.append(np.arange(len(ALL)), twice)
    assert wrong(compare(ALL, rows_of(ALL, order))) == {"duplicated": [len(ALL)]}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, len(ALL) - 1), st.integers(0, 63))
def test_one_bit_of_one_value_among_100_000_is_named(at: int, bit: int) -> None:
    rows = rows_of(ALL)
    rows.raw.view(np.uint64)[at] ^= np.uint64(1 << bit)
    assert wrong(compare(ALL, rows)) == {"altered_reading": [at], "altered_row": [at]}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, len(ALL) - 1))
def test_a_moved_reading_is_missing_in_one_place_and_unexpected_in_another(at: int) -> None:
    rows = rows_of(ALL)
    rows.t_us[at] += 1
    assert wrong(compare(ALL, rows)) == {"lost": [at], "unexpected": [at]}


def test_an_indeterminate_reading_may_have_a_row_or_none() -> None:
    unsure = readings(Disposition.INDETERMINATE)
    half = np.arange(0, len(unsure), 2)
    assert wrong(compare(unsure, rows_of(unsure, half))) == {}


def test_an_indeterminate_reading_may_not_have_another_value() -> None:
    unsure = readings(Disposition.INDETERMINATE)
    rows = rows_of(unsure, np.array([7]))
    rows.raw[0] += 1
    assert wrong(compare(unsure, rows)) == {"altered_reading": [7], "altered_row": [0]}


def test_readings_that_never_arrived_must_have_no_row() -> None:
    for end in ("REJECTED", "DROPPED", "WITHHELD", "BUFFERED"):
        never = readings(Disposition[end])
        assert wrong(compare(never, rows_of(never, np.array([3])))) == {"unexpected": [0]}


def test_no_readings_and_no_rows_agree() -> None:
    nothing = np.zeros(0)
    none = Readings(nothing.astype(int), nothing.astype(int), nothing, nothing.astype(np.int8))
    assert wrong(compare(none, Rows(none.sensor, none.t_us, none.raw))) == {}
    assert wrong(compare(none, rows_of(ALL, np.array([0])))) == {"unexpected": [0]}
