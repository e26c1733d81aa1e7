"""What each kind of rule makes of arrays, and what it refuses."""

import math

import numpy as np
import pytest

from fleetconf import kinds
from fleetplatform.processing import rules, units
from fleetplatform.processing.rules.derived import dew_point

SECOND_US = 1_000_000
START_US = 1_780_000_000 * SECOND_US


def _made(kind, values, *, seconds=None, **settings):
    """One sensor's readings, a second apart, through a rule: its values by second."""
    operation = rules.parse(kind, settings).operation()
    operation.reserve(1)
    seconds = np.arange(len(values)) if seconds is None else np.array(seconds)
    t_us = START_US + SECOND_US * seconds
    made = operation.make(np.zeros(len(t_us), np.int32), t_us, (np.array(values, float),))
    return dict(zip(seconds[made.at].tolist(), made.value.tolist(), strict=True))


def test_scale_clamp_and_rate() -> None:
    assert _made("scale", [1, 2], multiplier=2.0, offset=-1.0) == {0: 1.0, 1: 3.0}
    assert _made("clamp", [-5, 5, 50], min=0.0, max=10.0) == {0: 0.0, 1: 5.0, 2: 10.0}
    assert _made("clamp", [-5, 50], max=10.0) == {0: -5.0, 1: 10.0}
    assert _made("rate_of_change", [1, 3, 2], per="min") == {1: 120.0, 2: -60.0}
    rates = _made("rate_of_change", [1, 3, 2], seconds=[0, 10, 11], max_gap_s=5.0)
    assert rates == {11: -1.0}


def test_deadband_gives_what_differs_enough_and_a_sign_of_life() -> None:
    values = [10.0, 10.5, 11.0, 10.9, 9.9, 10.0, 10.0]
    assert _made("deadband", values, threshold=1.0) == {0: 10.0, 2: 11.0, 4: 9.9}
    seconds = [0, 1, 2, 3, 4, 5, 64]
    made = _made("deadband", values, seconds=seconds, threshold=1.0, heartbeat_s=60.0)
    assert made == {0: 10.0, 2: 11.0, 4: 9.9, 64: 10.0}


def test_windows_end_with_the_reading_and_begin_after_their_length() -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    expected = {
        "mean": [1.0, 1.5, 2.5, 3.5], "sum": [1.0, 3.0, 5.0, 7.0], "min": [1.0, 1.0, 2.0, 3.0],
        "max": values, "stddev": [0.0, 0.5, 0.5, 0.5],
    }  # fmt: skip
    for function, one in expected.items():
        assert list(_made("window", values, function=function, window_s=2.0).values()) == one


def test_a_large_mean_costs_a_window_no_digits() -> None:
    """A running sum over all sensors would lose the small one beside the large one."""
    operation = rules.parse("window", {"function": "stddev", "window_s": 10.0}).operation()
    operation.reserve(2)
    sensor = np.array([0, 0, 0, 1, 1], np.int32)
    t_us = START_US + SECOND_US * np.array([0, 1, 2, 0, 1])
    values = np.array([1e15, 1e15 + 2, 1e15 + 4, 1e-6, 3e-6])
    made = operation.make(sensor, t_us, (values,))
    assert made.value.tolist() == pytest.approx([0, 1, math.sqrt(8 / 3), 0, 1e-6])


def test_a_value_counts_for_as_long_as_it_held() -> None:
    made = _made("time_weighted_average", [10, 20, 0], seconds=[0, 8, 10], window_s=10.0)
    assert made == {8: 10.0, 10: 12.0}
    made = _made("time_weighted_average", [10, 20, 0], seconds=[0, 8, 13], window_s=10.0)
    assert made[13] == (10 * 5 + 20 * 5) / 10


def test_a_window_that_holds_too_much_takes_the_newest_and_says_so() -> None:
    count = rules.KEPT_MAX + 2
    operation = rules.parse("window", {"function": "min", "window_s": 1e4}).operation()
    operation.reserve(1)
    t_us = START_US + SECOND_US * np.arange(count)
    made = operation.make(np.zeros(count, np.int32), t_us, (np.arange(count, dtype=float),))
    assert made.partial is not None
    assert np.flatnonzero(made.partial).tolist() == [count - 2, count - 1]
    assert made.value[-3:].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("temperature", "humidity", "expected"),
    # Over water, as WMO-No. 8 has it; also the psychrometric tables to a tenth.
    [(20.0, 50.0, 9.3), (25.0, 80.0, 21.3), (0.0, 100.0, 0.0), (30.0, 30.0, 10.5)],
)
def test_the_dew_point_is_that_of_the_tables(temperature, humidity, expected) -> None:
    found = dew_point(np.array([temperature]), np.array([humidity]))
    assert found[0] == pytest.approx(expected, abs=0.05)


def test_what_a_formula_has_no_value_for_is_not_finite() -> None:
    with np.errstate(all="ignore"):
        assert not np.isfinite(dew_point(np.array([20.0, 20.0]), np.array([0.0, -1.0]))).any()
        ratio = rules.parse("derived", {"formula": "ratio"}).operation()
        made = ratio.make(np.zeros(3, np.int32), np.arange(3), (np.ones(3), np.array([2.0, 0, 1])))
    assert made.value.tolist() == [0.5, math.inf, 1.0]


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("lambda", {}, "kind: 'lambda' is not one of clamp, convert"),
        ("scale", {"multiplier": 0}, "multiplier"),
        ("scale", {"multiplier": 10**400}, "settings"),
        ("scale", {"multiplier": "2"}, "Expected `float`, got `str`"),
        ("scale", {"factor": 2}, "unknown field `factor`"),
        ("scale", {"unit": "furlongs per whim"}, "no unit that is known"),
        ("convert", {}, "missing required field `unit`"),
        ("convert", {"unit": "9**9**9**9"}, "no unit that is known"),
        ("clamp", {}, "at least one"),
        ("clamp", {"min": 2, "max": 1}, "min lies above max"),
        ("deadband", {"threshold": 0}, "above 0"),
        ("deadband", {"threshold": 1, "heartbeat_s": 1e9}, "86,400"),
        ("rate_of_change", {"per": "fortnight"}, "not one of s, min"),
        ("window", {"function": "mean", "window_s": 86_401}, "86,400"),
        ("window", {"function": "mean", "window_s": -1}, "above 0"),
        ("window", {"function": "median", "window_s": 1}, "Invalid enum value"),
        ("time_weighted_average", {"window_s": 86_400}, "86,400"),
        ("derived", {"formula": "sorcery"}, "Invalid enum value"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(kind, settings, said) -> None:
    with pytest.raises(ValueError, match="(?s)" + said.replace("*", r"\*")):
        rules.parse(kind, settings)


@pytest.mark.parametrize(
    ("kind", "settings", "given", "unit", "line"),
    [
        ("convert", {"unit": "degF"}, ("°C",), "degF", (1.8, 32.0)),
        ("convert", {"unit": "hPa"}, ("bar",), "hPa", (1000.0, 0.0)),
        ("scale", {"unit": "l"}, ("",), "l", (1.0, 0.0)),
        ("rate_of_change", {"per": "min"}, ("°C",), "delta_degree_Celsius/min", (1.0, 0.0)),
        ("window", {"function": "mean", "window_s": 9}, ("°C",), "°C", (1.0, 0.0)),
        ("window", {"function": "stddev", "window_s": 9}, ("V",), "V", (1.0, 0.0)),
        ("derived", {"formula": "dew_point"}, ("°F", "%RH"), "degC", (5 / 9, -160 / 9)),
        ("derived", {"formula": "product", "unit": "W"}, ("V", "A"), "W", (1.0, 0.0)),
        ("derived", {"formula": "product", "unit": "kW"}, ("V", "A"), "kW", (1.0, 0.0)),
        ("derived", {"formula": "ratio"}, ("W", "m/s"), "W/(m/s)", (1.0, 0.0)),
    ],
)
def test_units_are_followed(kind, settings, given, unit, line) -> None:
    fit = rules.parse(kind, settings).fit(given)
    assert (fit.unit, fit.inputs[0]) == (unit, line)
    assert fit.output.multiplier == (1e-3 if unit == "kW" else 1.0)


@pytest.mark.parametrize(
    ("kind", "settings", "given"),
    [
        ("convert", {"unit": "bar"}, ("°C",)),
        ("convert", {"unit": "W"}, ("dBm",)),
        ("convert", {"unit": "m"}, ("a unit of one's own",)),
        ("derived", {"formula": "dew_point"}, ("°C", "hPa")),
        ("derived", {"formula": "sum"}, ("V", "A")),
        ("derived", {"formula": "product", "unit": "K"}, ("V", "A")),
    ],
)
def test_units_that_do_not_fit_are_refused(kind, settings, given) -> None:
    with pytest.raises(ValueError, match=r"unit|convert|line"):
        rules.parse(kind, settings).fit(given)


def test_conversions_are_exact() -> None:
    assert units.line_between("°C", "degF") == (1.8, 32.0)
    assert units.line_between("degF", "°C") == (5 / 9, -160 / 9)
    assert units.line_between("%RH", "percent") == units.SAME


def test_every_kind_is_found() -> None:
    assert kinds.names(rules.PACKAGE) == [
        "clamp", "convert", "deadband", "derived", "rate_of_change", "scale",
        "time_weighted_average", "window",
    ]  # fmt: skip
