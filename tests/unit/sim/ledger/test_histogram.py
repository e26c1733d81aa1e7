"""The histogram: exact below 128 µs, within 1 % above, mergeable."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.ledger.histogram import Histogram

_VALUES = st.lists(st.integers(0, 2**40 - 1), min_size=1, max_size=200)


def _of(values: list[int]) -> Histogram:
    histogram = Histogram()
    histogram.add(np.array(values, np.int64))
    return histogram


@given(_VALUES, st.floats(0, 100))
def test_a_percentile_is_within_one_percent_of_the_value_of_that_rank(
    values: list[int], q: float
) -> None:
    rank = max(1, int(np.ceil(q / 100 * len(values))))
    exact = sorted(values)[rank - 1]
    found = _of(values).percentile(q)
    assert found is not None
    assert abs(found - exact) <= max(0.5, 0.01 * exact)


@given(_VALUES, _VALUES)
def test_merging_is_the_same_as_adding_all_to_one(first: list[int], second: list[int]) -> None:
    merged = _of(first)
    merged.merge(_of(second))
    together = _of(first + second)
    assert merged.buckets() == together.buckets()
    assert merged.max == together.max == max(first + second)


@given(_VALUES)
def test_every_value_lies_in_a_bucket_and_buckets_do_not_overlap(values: list[int]) -> None:
    buckets = _of(values).buckets()
    assert sum(count for _, _, count in buckets) == len(values)
    for value in values:
        assert sum(lower <= value < upper for lower, upper, _ in buckets) == 1
    assert all(a[1] <= b[0] for a, b in pairwise(buckets))


def test_weights_count_a_value_many_times() -> None:
    histogram = Histogram()
    histogram.add(np.array([5, 100]), np.array([99, 1]))
    assert (histogram.count, histogram.percentile(99), histogram.max) == (100, 5.0, 100)


def test_an_empty_histogram_has_no_percentile() -> None:
    empty = Histogram()
    empty.merge(Histogram())
    assert (empty.count, empty.max, empty.percentile(50), empty.buckets()) == (0, 0, None, [])


def test_values_out_of_range_count_at_the_ends() -> None:
    histogram = _of([-7, 2**50])
    assert histogram.count == 2
    assert histogram.percentile(1) == 0
    assert histogram.percentile(100) == pytest.approx(2**40, rel=0.01)


@given(_VALUES)
def test_a_histogram_survives_pickling(values: list[int]) -> None:
    before = _of(values)
    after = pickle.loads(pickle.dumps(before))
    assert (after.buckets(), after.max) == (before.buckets(), before.max)
    assert pickle.loads(pickle.dumps(Histogram())).count == 0
