"""Straight lines to the bit, polynomials as numpy has them, and nothing that is not a number."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import polynomial

from fleetplatform.processing.calibration import calibrate
from fleetplatform.registry.calibrations import ALWAYS_US, NEVER_US, Calibrations, Entered
from fleetplatform.registry.curves import factors_of
from fleetplatform.wire.resources.calibrations import Curve

FINITE = st.floats(allow_nan=False, allow_infinity=False)
MODEST = st.floats(-1e3, 1e3, allow_subnormal=False)


def history(*curves: list[float]) -> Calibrations:
    """Sensor n always has the n-th polynomial, c0 first."""
    factors = [factors_of(Curve(coefficients=tuple(one))) for one in curves]
    higher = [(*(one.higher or ()), 0.0, 0.0, 0.0, 0.0)[:4] for one in factors]
    entered = Entered(
        sensor=np.arange(len(curves), dtype=np.int32),
        from_us=np.full(len(curves), ALWAYS_US),
        due_us=np.full(len(curves), NEVER_US),
        multiplier=np.array([one.multiplier for one in factors]),
        offset=np.array([one.offset for one in factors]),
        higher=np.array(higher),
    )
    return Calibrations.empty().extended(len(curves), entered)


def applied(raw: list[float], *curves: list[float]) -> np.ndarray:
    """What sensors 0, 1, … make of the values, one value each."""
    values = np.array(raw)
    sensor = np.arange(len(raw), dtype=np.int32)
    times = np.zeros(len(raw), dtype=np.int64)
    return calibrate(values, sensor, times, history(*curves)).value


@given(st.lists(st.tuples(FINITE, FINITE.filter(bool), FINITE), min_size=1, max_size=20))
def test_a_straight_line_is_one_product_and_one_sum_to_the_bit(lines):
    """Also beside polynomials, which take another way."""
    raw = [x for x, _, _ in lines]
    straight = [[offset, multiplier] for _, multiplier, offset in lines]
    with np.errstate(all="ignore"):
        expected = [
            x if (m, c) == (1, 0) else float(np.float64(x) * np.float64(m) + np.float64(c))
            for x, m, c in lines
        ]
    for curves in (straight, [*straight, [0.0, 1.0, 2.0]]):
        found = applied(raw, *curves)
        assert found.view(np.uint64).tolist() == np.array(expected).view(np.uint64).tolist()


@given(st.lists(MODEST, min_size=3, max_size=6), st.lists(MODEST, min_size=1, max_size=10))
def test_a_polynomial_is_the_one_of_numpy(coefficients, raw):
    """numpy.polynomial takes the same steps from the highest power down: the same bits."""
    coefficients[-1] = coefficients[-1] or 1.0
    found = applied(raw, *[coefficients] * len(raw))
    expected = polynomial.polyval(np.array(raw), np.array(coefficients))
    assert found.tolist() == expected.tolist()


@given(st.lists(FINITE, min_size=3, max_size=6), FINITE)
def test_what_no_float_holds_is_an_infinity_and_never_nan(coefficients, raw):
    coefficients[-1] = coefficients[-1] or 1.0
    (found,) = applied([raw], coefficients)
    assert not math.isnan(found)


def test_only_what_differs_keeps_its_raw_value():
    values = np.array([3.0, 3.0, 3.0, 3.0])
    sensor = np.array([0, 1, 2, 3], dtype=np.int32)
    curves = [[0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0]]
    value, raw, overdue = calibrate(values, sensor, np.zeros(4, np.int64), history(*curves))
    assert value.tolist() == [3.0, 3.0, 9.0, 4.0]
    assert np.isnan(raw).tolist() == [True, True, False, False]
    assert not overdue.any()
