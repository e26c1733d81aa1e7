"""Which alerts must have been raised and cleared, given the readings that were acknowledged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fleetsim.oracle.conditions import check, holds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOT_RESOLVED = -1


class Rule(Protocol):
    """An alert rule; a null scope means any."""

    @property
    def name(self) -> str:
        """Its name, unique in the run."""

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Limits by condition; all must hold."""

    @property
    def device_type(self) -> str | None:
        """Only sensors of such devices."""

    @property
    def sensor_type(self) -> str | None:
        """Only sensors of this type."""


class Model(Protocol):
    """One sensor of one device type."""

    @property
    def device_type(self) -> str:
        """The name of the device type."""

    @property
    def sensor_type(self) -> str:
        """The name of the sensor's type."""


class Sensors(Protocol):
    """What the oracle asks of a population: sensor_model is int32[S], an index into models."""

    sensor_model: NDArray[np.int32]

    @property
    def models(self) -> Sequence[Model]:
        """Every sensor of every device type."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedAlerts:
    """By rule, then sensor, then time; one length each.

    rule: index into the rules · sensor: index into the population · raised_us, resolved_us: times
    of the readings that began and ended it, NOT_RESOLVED while it is active.
    """

    rule: NDArray[np.int32]
    sensor: NDArray[np.int32]
    raised_us: Ints
    resolved_us: Ints

    def __len__(self) -> int:
        return len(self.rule)


class AlertOracle:
    """observe(readings) … → expected(). An alert is raised when a rule begins to hold for a
    sensor, and resolved when it ceases to; while it is active, nothing more is raised.
    """

    def __init__(self, rules: Sequence[Rule], sensors: Sensors) -> None:
        for rule in rules:
            check(rule.name, rule.conditions)
        self._rules = rules
        self._scope = [_scope(rule, sensors) for rule in rules]
        self._active = [np.zeros(len(sensors.sensor_model), dtype=np.bool_) for _ in rules]
        self._changes: list[tuple[int, NDArray[np.int32], Ints]] = []

    def observe(self, sensor: NDArray[np.int32], t_us: Ints, calibrated: Floats) -> None:
        """Take n acknowledged readings, sorted by sensor and time, in order from call to call."""
        if not len(sensor):
            return
        for index, rule in enumerate(self._rules):
            now = holds(rule.conditions, calibrated) & self._scope[index][sensor]
            active = self._active[index]
            before = active[sensor]
            again = sensor[1:] == sensor[:-1]
            before[1:][again] = now[:-1][again]
            changed = np.flatnonzero(now != before)
            if len(changed):
                self._changes.append((index, sensor[changed], t_us[changed]))
                # Of several changes of one sensor the last stands: assignment is in order.
                active[sensor[changed]] = now[changed]

    def expected(self) -> ExpectedAlerts:
        """All alerts so far."""
        rule = _join([np.full(len(s), i, np.int32) for i, s, _ in self._changes], np.int32)
        sensor = _join([sensor for _, sensor, _ in self._changes], np.int32)
        t_us = _join([t_us for _, _, t_us in self._changes], np.int64)
        # Stable: the changes of a pair were noted in order. They alternate, beginning with raised.
        order = np.lexsort((sensor, rule))
        rule, sensor, t_us = rule[order], sensor[order], t_us[order]
        goes_on = np.zeros(len(rule), dtype=np.bool_)
        goes_on[:-1] = (rule[1:] == rule[:-1]) & (sensor[1:] == sensor[:-1])
        begin = np.flatnonzero(~np.concatenate([[False], goes_on[:-1]])[: len(rule)])
        place = np.arange(len(rule)) - np.repeat(begin, np.diff(np.append(begin, len(rule))))
        raised = place % 2 == 0
        ended = np.append(t_us[1:], NOT_RESOLVED)[: len(rule)]
        resolved_us = np.where(goes_on, ended, NOT_RESOLVED)
        return ExpectedAlerts(rule[raised], sensor[raised], t_us[raised], resolved_us[raised])


def _scope(rule: Rule, sensors: Sensors) -> NDArray[np.bool_]:
    """Which sensors a rule speaks of."""
    speaks_of = [
        rule.device_type in (None, model.device_type)
        and rule.sensor_type in (None, model.sensor_type)
        for model in sensors.models
    ]
    return np.array(speaks_of, dtype=np.bool_)[sensors.sensor_model]


def _join(arrays: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=dtype)
