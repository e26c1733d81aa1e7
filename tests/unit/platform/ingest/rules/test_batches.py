"""Arrays against a plain loop over readings, in batches that are cut anywhere."""

import math
from bisect import bisect_left
from collections import defaultdict
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplatform.ingest.rules.evaluation import Evaluation
from fleetplatform.ingest.rules.plans import Compiler
from fleetplatform.processing import rules
from fleetplatform.processing.rules.derived import dew_point
from fleetplatform.registry.directory import ProcessingRule
from fleetplatform.registry.names import Words
from fleetplatform.wire.device_type import SensorType

SECOND_US = 1_000_000
START_US = 1_780_000_000 * SECOND_US
DEVICES = 3
LATE, INPUT, UNDEFINED = 8, 4, 1


def _directory(*saved: ProcessingRule) -> Any:
    """Devices with a temperature in °C or °F and a humidity each; of the last one it is secret."""
    words = Words()
    sensors = 2 * DEVICES
    units = ["°F" if one == 0 else "%RH" if one % 2 else "°C" for one in range(sensors)]
    types = [SensorType.HUMIDITY if one % 2 else SensorType.TEMPERATURE for one in range(sensors)]
    return SimpleNamespace(
        version=1,
        words=words,
        processing_rules=tuple(sorted(saved, key=lambda one: one.processing_rule_id)),
        sensor_count=sensors,
        device_count=DEVICES,
        device_organization=np.zeros(DEVICES, np.int32),
        device_type=np.zeros(DEVICES, np.int32),
        device_type_names=["climate"],
        sensor_device=np.arange(sensors, dtype=np.int32) // 2,
        sensor_type=np.array(types, np.int16),
        sensor_sensitive=np.arange(sensors) == sensors - 1,
        sensor_name=np.array(words.codes(["t", "h"] * DEVICES), np.int32),
        sensor_unit=np.array(words.codes(units), np.int32),
        sensor_high=np.zeros(sensors, np.uint64),
        sensor_low=np.arange(sensors, dtype=np.uint64),
    )


def _rule(number: int, kind: str, settings: dict[str, Any], *inputs: Any) -> ProcessingRule:
    return ProcessingRule(UUID(int=number), 0, kind, settings, list(inputs) or [{}], None)


def _rows(readings: list[tuple[int, int, float, bool]]) -> Any:
    """Readings (sensor, second, value, late) as an engine gives them: by sensor, then time."""
    ordered = sorted(readings)
    columns = [np.array(column) for column in zip(*ordered, strict=True)]
    quality = np.where(columns[3], 16, 0).astype(np.int16)
    return SimpleNamespace(
        sensor=columns[0].astype(np.int32), measured_us=START_US + SECOND_US * columns[1],
        value=columns[2].astype(float), quality=quality,
    )  # fmt: skip


Values = dict[tuple[int, int], tuple[float, int]]


def _run(directory: Any, batches: list[Any]) -> list[Values]:
    """Of each plan what it made, by sensor and second."""
    plans, _ = Compiler(directory, {}).compile()
    found: list[Values] = [{} for _ in plans]
    for batch in batches:
        rows = _rows(batch)
        evaluation = Evaluation.of(plans, rows)
        evaluation.settle()
        for plan, row, value, flag in evaluation.outputs:
            keys = zip(
                rows.sensor[row].tolist(),
                ((rows.measured_us[row] - START_US) // SECOND_US).tolist(),
                strict=True,
            )
            made = zip(value.tolist(), flag.tolist(), strict=True)
            for key, one in zip(keys, made, strict=True):
                assert key not in found[plan]
                found[plan][key] = one
    return found


class Loop:
    """The rules once more, one reading after another, each with all that came before it."""

    def __init__(self) -> None:
        self.past: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self.given: dict[int, tuple[int, float]] = {}

    def make(self, kind: str, s: dict[str, Any], sensor: int, t: int, x: float) -> float | None:
        past = self.past[sensor]
        past.append((t, x))
        return getattr(self, kind)(s, sensor, t, x, past)

    def scale(self, s: Any, sensor: int, t: int, x: float, past: Any) -> float:
        return x * s["multiplier"] + s["offset"]

    def clamp(self, s: Any, sensor: int, t: int, x: float, past: Any) -> float:
        return min(max(x, s["min"]), s["max"])

    def rate_of_change(self, s: Any, sensor: int, t: int, x: float, past: Any) -> float | None:
        if len(past) < 2 or t - past[-2][0] > s["max_gap_s"]:
            return None
        return (x - past[-2][1]) / (t - past[-2][0]) * 3600

    def deadband(self, s: Any, sensor: int, t: int, x: float, past: Any) -> float | None:
        last = self.given.get(sensor)
        if last and abs(x - last[1]) < s["threshold"] and t - last[0] < s["heartbeat_s"]:
            return None
        self.given[sensor] = (t, x)
        return x

    def window(self, s: Any, sensor: int, t: int, x: float, past: Any) -> float:
        values = [v for u, v in past if u > t - s["window_s"]]
        mean = sum(values) / len(values)
        return {
            "mean": mean, "sum": sum(values), "min": min(values), "max": max(values),
            "stddev": math.sqrt(sum((v - mean) ** 2 for v in values) / len(values)),
        }[s["function"]]  # fmt: skip

    def time_weighted_average(
        self, s: Any, sensor: int, t: int, x: float, past: Any
    ) -> float | None:
        began = t - s["window_s"]
        ends = [u for u, _ in past[1:]] + [t]
        held = [
            (v, min(end, t) - max(u, began))
            for (u, v), end in zip(past, ends, strict=True)
            if end > began and u > began - s["window_s"]
        ]
        total = sum(span for _, span in held)
        return sum(v * span for v, span in held) / total if total else None


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("scale", {"multiplier": -2.5, "offset": 1.0}),
    ("clamp", {"min": -3.0, "max": 4.0}),
    ("rate_of_change", {"per": "h", "max_gap_s": 7.0}),
    ("deadband", {"threshold": 2.0, "heartbeat_s": 9.0}),
    *(("window", {"function": one, "window_s": 5.0})
      for one in ("mean", "min", "max", "sum", "stddev")),
    ("time_weighted_average", {"window_s": 6.0}),
]  # fmt: skip


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[Any], list[int]]:
    """Readings of some seconds, in order of time, and where the batches are cut."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 40), st.integers(0, 2 * DEVICES - 1), st.integers(-9, 9)
            ),
            unique_by=lambda one: one[:2], min_size=1, max_size=120,
        )
    )  # fmt: skip
    readings = [(sensor, second, float(value)) for second, sensor, value in sorted(rows)]
    cuts = draw(st.lists(st.integers(0, len(readings)), max_size=5))
    return readings, sorted(cuts)


def _cut(readings: list[Any], cuts: list[int]) -> list[list[Any]]:
    edges = [0, *cuts, len(readings)]
    parts = [readings[a:b] for a, b in pairwise(edges)]
    return [[(*one, False) for one in part] for part in parts if part]


@pytest.mark.parametrize(("kind", "told"), KINDS)
@settings(max_examples=40)
@given(history=_histories())
def test_batches_cut_anywhere_make_what_a_loop_makes(
    kind: str, told: dict[str, Any], history: Any
) -> None:
    readings, cuts = history
    (found,) = _run(_directory(_rule(1, kind, told)), _cut(readings, cuts))
    loop, expected = Loop(), {}
    for sensor, second, value in readings:
        if sensor < 2 * DEVICES - 1:
            made = loop.make(kind, told, sensor, second, value)
            if made is not None:
                expected[sensor, second] = made
    assert found.keys() == expected.keys()
    for key, (value, flag) in found.items():
        assert flag == 0
        assert value == pytest.approx(expected[key], rel=1e-9, abs=1e-9)


@settings(max_examples=40)
@given(history=_histories())
def test_many_sensors_and_few_give_the_same_deadband(history: Any) -> None:
    """Whether readings are taken in turn or sensor by sensor is a matter of speed alone."""
    readings, _ = history
    operation = rules.parse("deadband", {"threshold": 2.0}).operation()
    operation.reserve(400)
    for copies in (1, 60):
        wide = sorted((s + 6 * c, t, v) for s, t, v in readings for c in range(copies))
        columns = [np.array(column) for column in zip(*wide, strict=True)]
        made = operation.make(
            columns[0].astype(np.int32), columns[1] * SECOND_US, (columns[2].astype(float),)
        )
        narrow = {(s, t) for s, t, _ in (wide[at] for at in made.at.tolist()) if s < 6}
        if copies == 1:
            expected = narrow
        assert narrow == expected


@settings(max_examples=40)
@given(history=_histories())
def test_derived_values_take_what_was_measured_last(history: Any) -> None:
    """A chain: °C or °F and humidity → dew point → °F → its mean."""
    readings, cuts = history
    # What a device measured at one time is in one batch: else the humidity might come too late.
    seconds = [second for _, second, _ in readings]
    cuts = [bisect_left(seconds, seconds[cut]) for cut in cuts if cut < len(readings)]
    saved = [
        _rule(3, "derived", {"formula": "dew_point", "max_age_s": 8.0},
              {"sensor_type": "temperature"}, {"sensor_type": "humidity"}),
        _rule(2, "convert", {"unit": "degF"}, {"processing_rule_id": str(UUID(int=3))}),
        _rule(1, "window", {"function": "mean", "window_s": 10.0},
              {"processing_rule_id": str(UUID(int=2))}),
    ]  # fmt: skip
    directory = _directory(*saved)
    plans, _ = Compiler(directory, {}).compile()
    assert [plan.rule.processing_rule_id.int for plan in plans] == [3, 2, 1]
    dew, fahrenheit, mean = _run(directory, _cut(readings, cuts))
    newest: dict[int, tuple[int, float]] = {}
    expected: dict[tuple[int, int], float] = {}
    at_once = defaultdict(list)
    for sensor, second, value in readings:
        at_once[second].append((sensor, value))
    for second, several in at_once.items():
        for sensor, value in several:
            if sensor % 2:
                newest[sensor // 2] = (second, value)
        for sensor, value in several:
            device = sensor // 2
            if sensor % 2 or device == DEVICES - 1 or device not in newest:
                continue
            measured, humidity = newest[device]
            if second - measured <= 8:
                celsius = (value - 32) / 1.8 if sensor == 0 else value
                with np.errstate(all="ignore"):
                    expected[sensor, second] = float(dew_point(
                        np.array([celsius]), np.array([humidity])
                    )[0])
    assert dew.keys() == expected.keys()
    defined = {key: value for key, value in expected.items() if math.isfinite(value)}
    for key, (value, flag) in dew.items():
        assert flag == (0 if key in defined else UNDEFINED)
        assert math.isnan(value) or value == pytest.approx(defined[key])
    assert fahrenheit.keys() == defined.keys() == mean.keys()
    for (sensor, second), (value, _) in mean.items():
        part = [v for (s, t), (v, _) in fahrenheit.items()
                if s == sensor and second - 10 < t <= second]  # fmt: skip
        assert value == pytest.approx(sum(part) / len(part))


def test_late_readings_move_nothing_and_are_taken_by_stateless_rules_alone() -> None:
    saved = [_rule(1, "scale", {"multiplier": 2.0}),
             _rule(2, "window", {"function": "sum", "window_s": 100.0}),
             _rule(3, "rate_of_change", {}, {"processing_rule_id": str(UUID(int=1))})]
    batches = [[(1, 10, 1.0, False)], [(1, 5, 100.0, True), (1, 11, 2.0, False)]]
    scaled, windows, rates = _run(_directory(*saved), batches)
    assert scaled == {(1, 10): (2.0, 0), (1, 5): (200.0, LATE | INPUT), (1, 11): (4.0, 0)}
    assert windows == {(1, 10): (1.0, 0), (1, 11): (3.0, 0)}
    assert rates == {(1, 11): (2.0, 0)}


def test_state_moves_with_the_commit_alone() -> None:
    directory = _directory(_rule(1, "window", {"function": "sum", "window_s": 100.0}))
    plans, _ = Compiler(directory, {}).compile()
    for _ in range(3):
        lost = Evaluation.of(plans, _rows([(1, 1, 5.0, False)]))
        assert lost.outputs[0].value.tolist() == [5.0]
    lost.settle()
    again = Evaluation.of(plans, _rows([(1, 2, 1.0, False)]))
    assert again.outputs[0].value.tolist() == [6.0]


def test_a_rule_that_does_the_same_keeps_what_it_remembers() -> None:
    rule = _rule(1, "window", {"function": "sum", "window_s": 100.0})
    directory = _directory(rule)
    plans, states = Compiler(directory, {}).compile()
    kept, _ = Compiler(directory, states).compile()
    assert kept[0].state is plans[0].state
    directory.processing_rules = (
        _rule(1, "window", {"function": "sum", "window_s": 99.0}),
    )
    fresh, _ = Compiler(directory, states).compile()
    assert fresh[0].state is not plans[0].state


def test_no_value_spoils_its_neighbours() -> None:
    saved = [_rule(1, "derived", {"formula": "ratio"}, {"sensor": "t"}, {"sensor": "h"}),
             _rule(2, "scale", {"multiplier": 1.0}, {"processing_rule_id": str(UUID(int=1))})]
    batch = [(0, 1, 1.0, False), (1, 1, 0.0, False), (2, 1, 1.0, False), (3, 1, 4.0, False)]
    ratio, after = _run(_directory(*saved), [batch])
    assert math.isnan(ratio[0, 1][0])
    assert ratio[0, 1][1] == UNDEFINED
    assert ratio[2, 1] == (0.25, 0)
    assert after == {(2, 1): (0.25, 0)}


@pytest.mark.parametrize(
    "broken",
    [
        _rule(1, "no such kind", {}),
        _rule(1, "scale", {"multiplier": 0}),
        _rule(1, "scale", {}, {}, {}),
        _rule(1, "scale", {}, {"processing_rule_id": str(UUID(int=9))}),
        _rule(1, "scale", {}, {"processing_rule_id": str(UUID(int=1))}),
        _rule(1, "scale", {}, {"sensor_type": "no such type"}),
    ],
)
def test_what_nobody_could_have_saved_is_left_out(broken: ProcessingRule) -> None:
    plans, _ = Compiler(_directory(broken, _rule(2, "clamp", {"min": 0})), {}).compile()
    assert [plan.rule.kind for plan in plans] == ["clamp"]


def test_sensors_whose_unit_does_not_fit_are_left_out() -> None:
    (found,) = _run(
        _directory(_rule(1, "convert", {"unit": "K"})), [[(s, 1, 0.0, False) for s in range(6)]]
    )
    assert {sensor for sensor, _ in found} == {0, 2, 4}
    assert found[2, 1] == (273.15, 0)
