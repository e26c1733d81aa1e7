"""The rules as array operations, and which alerts are open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetplatform.alerting.rules import find_conditions
from fleetplatform.registry.directory import AlertRule, Directory
from fleetplatform.wire.device_type import SensorType

Floats = NDArray[np.float64]
Holds = Callable[[Floats], NDArray[np.bool_]]


@dataclass(slots=True)
class Transitions:
    """Alerts raised and cleared by one batch, in (rule, sensor, time) order; one length each.

    rule: position in `Rulebook.rules` · sensor: directory index · at_us · value: calibrated ·
    raised: True for raised, False for cleared.
    """

    rule: NDArray[np.int32]
    sensor: NDArray[np.int32]
    at_us: NDArray[np.int64]
    value: Floats
    raised: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rule)


@dataclass(slots=True)
class _Compiled:
    rule: AlertRule
    scope: NDArray[np.bool_]
    holds: list[Holds]


class Rulebook:
    """All active rules, compiled for the sensors of a directory; `fresh` recompiles when needed.

    `is_open[rule id]` says for each sensor whether an alert is open; it moves with `evaluate`,
    and is loaded anew from the database when a batch was not stored.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._version = -1
        self._compiled: list[_Compiled] = []
        self._open: dict[UUID, NDArray[np.bool_]] = {}

    @property
    def rules(self) -> list[AlertRule]:
        """The active rules, in the order that `Transitions.rule` counts."""
        return [compiled.rule for compiled in self._compiled]

    def fresh(self) -> None:
        """Compile the rules again if the directory has changed."""
        if self._version == self._directory.version:
            return
        self._version = self._directory.version
        active = [rule for rule in self._directory.alert_rules if rule.is_active]
        self._compiled = [_compile(rule, self._directory) for rule in active]
        for rule in active:
            known = self._open.get(rule.rule_id, np.zeros(0, dtype=np.bool_))
            grown = np.zeros(self._directory.sensor_count, dtype=np.bool_)
            grown[: len(known)] = known
            self._open[rule.rule_id] = grown

    def load_open(self, rule_ids: Sequence[UUID], sensor: NDArray[np.int32]) -> None:
        """Forget which alerts are open and take these pairs instead."""
        self._version = -1
        self._open.clear()
        self.fresh()
        for rule_id, index in zip(rule_ids, sensor.tolist(), strict=True):
            if rule_id in self._open and index >= 0:
                self._open[rule_id][index] = True

    def evaluate(
        self,
        sensor: NDArray[np.int32],
        measured_us: NDArray[np.int64],
        value: Floats,
        late: NDArray[np.bool_],
    ) -> Transitions:
        """What n readings, sorted by sensor and time, raise and clear.

        An alert is raised when a condition begins to hold and cleared when it ceases to. A late
        reading may raise an alert where none is open and never clears one.
        """
        found = [
            self._evaluate_rule(index, compiled, sensor, measured_us, value, late)
            for index, compiled in enumerate(self._compiled)
        ]
        found = [part for part in found if len(part)]
        if not found:
            empty = np.zeros(0, dtype=np.int32)
            return Transitions(empty, empty, empty.astype(np.int64), empty.astype(float), empty > 0)
        return Transitions(
            np.concatenate([part.rule for part in found]),
            np.concatenate([part.sensor for part in found]),
            np.concatenate([part.at_us for part in found]),
            np.concatenate([part.value for part in found]),
            np.concatenate([part.raised for part in found]),
        )

    def _evaluate_rule(
        self,
        index: int,
        compiled: _Compiled,
        sensor: NDArray[np.int32],
        measured_us: NDArray[np.int64],
        value: Floats,
        late: NDArray[np.bool_],
    ) -> Transitions:
        rows = np.flatnonzero(compiled.scope[sensor])
        hit = np.ones(len(rows), dtype=np.bool_)
        for holds in compiled.holds:
            hit &= holds(value[rows])
        is_open = self._open[compiled.rule.rule_id]
        on_time = ~late[rows]
        # A sensor's late readings come before its others in time.
        rows_late = rows[~on_time & hit]
        rows_late = rows_late[~is_open[sensor[rows_late]]]
        rows_late = rows_late[np.unique(sensor[rows_late], return_index=True)[1]]
        is_open[sensor[rows_late]] = True
        rows_now, hit_now = rows[on_time], hit[on_time]
        changed, raised = _edges(sensor[rows_now], hit_now, is_open)
        at, raised = rows_now[changed], raised[changed]
        if len(rows_late):
            at = np.concatenate([rows_late, at])
            raised = np.concatenate([np.ones(len(rows_late), dtype=np.bool_), raised])
            order = np.argsort(sensor[at], kind="stable")
            at, raised = at[order], raised[order]
        rule = np.full(len(at), index, dtype=np.int32)
        return Transitions(rule, sensor[at], measured_us[at], value[at], raised)


def _edges(
    sensor: NDArray[np.int32], hit: NDArray[np.bool_], is_open: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a condition begins or ceases to hold; moves `is_open` to each sensor's last state."""
    if not len(sensor):
        return hit, hit
    first = np.empty(len(sensor), dtype=np.bool_)
    first[0] = True
    first[1:] = sensor[1:] != sensor[:-1]
    before = np.empty(len(sensor), dtype=np.bool_)
    before[1:] = hit[:-1]
    before[first] = is_open[sensor[first]]
    last = np.append(first[1:], True)
    is_open[sensor[last]] = hit[last]
    return hit != before, hit


def _compile(rule: AlertRule, directory: Directory) -> _Compiled:
    conditions = find_conditions()
    holds: list[Holds] = []
    for key, limit in rule.conditions.items():
        condition = conditions[key]
        checked = condition.check(limit)
        holds.append(lambda value, c=condition, x=checked: c.holds(value, x))  # type: ignore[misc]
    return _Compiled(rule, _scope(rule, directory), holds)


def _scope(rule: AlertRule, directory: Directory) -> NDArray[np.bool_]:
    """Which sensors a rule speaks of."""
    count = directory.sensor_count
    device = directory.sensor_device[:count]
    scope = directory.device_organization[device] == rule.organization
    if rule.device_type is not None:
        names = list(directory.device_type_names)
        wanted = [i for i, name in enumerate(names) if name == rule.device_type]
        scope &= np.isin(directory.device_type[device], wanted)
    if rule.sensor_type is not None:
        scope &= directory.sensor_type[:count] == SensorType(rule.sensor_type)
    if rule.sensor_id is not None:
        high, low = divmod(rule.sensor_id.int, 1 << 64)
        scope &= directory.sensor_high[:count] == np.uint64(high)
        scope &= directory.sensor_low[:count] == np.uint64(low)
    return np.asarray(scope, dtype=np.bool_)
