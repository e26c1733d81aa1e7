"""The oracle: an alert begins and ends with its conditions, once each."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.devices.population import Population
from fleetsim.errors import PlanError
from fleetsim.oracle.alerts import AlertOracle
from fleetsim.settings import FleetPlan, RuleOfOracle

MakePlan = Callable[..., FleetPlan]


def _rule(name: str = "hot", **changes: Any) -> RuleOfOracle:
    fields = {"conditions": {"threshold_high": 30}, "device_type": None, "sensor_type": None}
    return RuleOfOracle(name=name, **fields | changes)


@pytest.fixture(scope="module")
def population(make_plan: MakePlan) -> Population:
    """Four thermometers."""
    return Population.of(make_plan(4, mix={"thermometer": 1.0}), np.arange(4))


def _expect(
    oracle: AlertOracle, values: list[float], sensor: int = 0, at: int = 0, step: int = 1
) -> list[tuple[int, ...]]:
    """Show one sensor's values, `step` at a time; (rule, sensor, raised, resolved) so far."""
    for begin in range(0, len(values), step):
        part = np.array(values[begin : begin + step])
        times = np.arange(at + begin, at + begin + len(part))
        oracle.observe(np.full(len(part), sensor, np.int32), times, part)
    alerts = oracle.expected()
    columns = (alerts.rule, alerts.sensor, alerts.raised_us, alerts.resolved_us)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize(
    ("values", "alerts"),
    [
        ([29.0, 30.0, 30.0], []),
        ([30.0, math.nextafter(30, 31)], [(1, -1)]),
        ([31.0, 30.0], [(0, 1)]),
        ([31.0, 32.0, 33.0], [(0, -1)]),
        ([29.0, 31.0, 29.0, 31.0, 32.0, 29.0], [(1, 2), (3, 5)]),
        ([31.0, math.nan], [(0, 1)]),
        ([math.nan, math.inf, -math.inf], [(1, 2)]),
        ([], []),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 100])
def test_edges(
    population: Population, values: list[float], alerts: list[tuple[int, int]], step: int
) -> None:
    found = _expect(AlertOracle([_rule()], population), values, step=step)
    assert found == [(0, 0, *alert) for alert in alerts]


def test_low_is_below_and_not_at_the_limit(population: Population) -> None:
    oracle = AlertOracle([_rule(conditions={"threshold_low": 5.0})], population)
    assert _expect(oracle, [5.0, 4.9, 5.0]) == [(0, 0, 1, 2)]


def test_all_conditions_must_hold(population: Population) -> None:
    between = {"threshold_high": 10, "threshold_low": 20}
    oracle = AlertOracle([_rule(conditions=between)], population)
    assert _expect(oracle, [10.0, 15.0, 20.0, 25.0, 11.0]) == [(0, 0, 1, 2), (0, 0, 4, -1)]


def test_a_rule_speaks_of_its_scope_only(make_plan: MakePlan) -> None:
    plan = make_plan(6, mix={"climate_v2": 0.5, "thermometer": 0.5})
    population = Population.of(plan, np.arange(6))
    rules = [
        _rule("all"),
        _rule("climate", device_type="climate_v2"),
        _rule("temperature", sensor_type="temperature"),
        _rule("both", device_type="climate_v2", sensor_type="humidity"),
    ]
    oracle = AlertOracle(rules, population)
    sensors = np.arange(population.sensors, dtype=np.int32)
    oracle.observe(sensors, np.zeros(len(sensors), np.int64), np.full(len(sensors), 50.0))
    alerts = oracle.expected()
    counts = np.bincount(alerts.rule, minlength=4).tolist()
    assert counts == [12, 9, 6, 3]


@given(
    readings=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([10.0, 20.0, 30.0, 31.0, 40.0])),
        max_size=60,
    ),
    size=st.integers(1, 60),
)
def test_any_grouping_expects_what_one_reading_after_the_other_does(
    population: Population, readings: list[tuple[int, float]], size: int
) -> None:
    rules = [_rule(), _rule("cold", conditions={"threshold_low": 20})]
    oracle = AlertOracle(rules, population)
    for begin in range(0, len(readings), size):
        part = readings[begin : begin + size]
        sensor = np.array([s for s, _ in part], np.int32)
        order = np.argsort(sensor, kind="stable")
        times, value = np.arange(begin, begin + len(part)), np.array([v for _, v in part])
        oracle.observe(sensor[order], times[order], value[order])
    alerts = oracle.expected()
    columns = (alerts.rule, alerts.sensor, alerts.raised_us, alerts.resolved_us)
    found = list(zip(*(column.tolist() for column in columns), strict=True))
    assert found == sorted(_one_by_one(readings))


def _one_by_one(readings: list[tuple[int, float]]) -> list[tuple[int, int, int, int]]:
    found, active = [], {}
    for t_us, (sensor, value) in enumerate(readings):
        for rule, is_on in enumerate((value > 30, value < 20)):
            raised_us = active.get((rule, sensor))
            if is_on and raised_us is None:
                active[rule, sensor] = t_us
            elif not is_on and raised_us is not None:
                found.append((rule, sensor, active.pop((rule, sensor)), t_us))
    return found + [(*pair, raised_us, -1) for pair, raised_us in active.items()]


def test_a_rule_it_cannot_judge_is_refused(population: Population) -> None:
    with pytest.raises(PlanError, match='"hot": the condition moon_phase is unknown'):
        AlertOracle([_rule(conditions={"moon_phase": 1})], population)
    with pytest.raises(PlanError, match="has no condition"):
        AlertOracle([_rule(conditions={})], population)
