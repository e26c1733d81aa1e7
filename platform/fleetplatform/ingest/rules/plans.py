"""Saved rules as plans over the directory's arrays, in the order in which one feeds another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from fleetplatform.processing import rules
from fleetplatform.processing.pairing import Pairing
from fleetplatform.processing.rules import Fit, Operation
from fleetplatform.registry.directory import Directory, ProcessingRule
from fleetplatform.wire.device_type import SensorType

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indexes = NDArray[np.int32]

NOWHERE = -1
_log = structlog.get_logger()


@dataclass(slots=True)
class State:
    """What a rule remembers; a rule that is changed in what it does begins with a new one."""

    operation: Operation
    pairings: list[Pairing]

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""
        self.operation.reserve(sensors)
        for pairing in self.pairings:
            pairing.reserve(sensors)


@dataclass(slots=True)
class Lines:
    """y = x × multiplier + offset, by sensor."""

    multiplier: Floats
    offset: Floats

    def apply(self, sensor: Indexes, value: Floats) -> Floats:
        """Values of n sensors."""
        return value * self.multiplier[sensor] + self.offset[sensor]


@dataclass(slots=True)
class Plan:
    """One rule over all sensors; arrays have a place for each.

    sources: for each input the position of the plan that gives it, None: readings · scope: the
    sensors of the first input · partners: for each other input, by sensor of the first, the sensor
    it goes with (NOWHERE outside the scope) · partner_scope: those sensors as masks · lines: each
    input's way into its unit, None where it is in it · unit: what comes out, as a code.
    """

    rule: ProcessingRule
    settings: rules.Settings
    state: State
    sources: list[int | None]
    scope: Mask
    partners: list[Indexes]
    partner_scope: list[Mask]
    lines: list[Lines | None]
    output: Lines | None
    unit: Indexes

    @property
    def is_stateful(self) -> bool:
        """Whether it remembers anything: then late readings are none of its business."""
        return self.settings.look_back_s > 0


@dataclass(slots=True)
class Compiler:
    """One compilation of all rules; `states` are those of the last one, and become the new ones."""

    directory: Directory
    states: dict[tuple[UUID, bytes], State]
    plans: list[Plan] = field(default_factory=list)
    _kept: dict[tuple[UUID, bytes], State] = field(default_factory=dict)

    def compile(self) -> tuple[list[Plan], dict[tuple[UUID, bytes], State]]:
        """The plans, each after those that it takes its inputs from, and their states.

        What cannot be compiled, which no rule that was saved is, is left out with a warning.
        """
        for rule in in_order(self.directory.processing_rules):
            try:
                self._add(rule)
            except (ValueError, KeyError) as error:
                _log.warning("rule left out", rule=str(rule.processing_rule_id), why=str(error))
        return self.plans, self._kept

    def _add(self, rule: ProcessingRule) -> None:
        settings = rules.parse(rule.kind, rule.settings)
        if len(rule.inputs) != settings.input_count:
            raise ValueError(f"{len(rule.inputs)} inputs instead of {settings.input_count}")
        sources = [self._source(one) for one in rule.inputs]
        scopes = [self._scope(rule, one, at) for one, at in zip(rule.inputs, sources, strict=True)]
        scope, partners = self._pair(scopes)
        units = [self._units(sources[0])]
        units += [
            self._units(at)[np.maximum(partner, 0)]
            for at, partner in zip(sources[1:], partners, strict=True)
        ]
        fits, which = self._fit(settings, scope, units)
        scope &= which >= 0
        for partner in partners:
            partner[~scope] = NOWHERE
        self.plans.append(
            Plan(
                rule, settings, self._state(rule, settings), sources, scope, partners,
                [self._mask(partner) for partner in partners],
                [_lines([fit.inputs[k] for fit in fits], which) for k in range(len(sources))],
                _lines([fit.output for fit in fits], which), self._outcome(fits, which),
            )
        )  # fmt: skip

    def _source(self, given: dict[str, Any]) -> int | None:
        wanted = given.get("processing_rule_id")
        if wanted is None:
            return None
        for at, plan in enumerate(self.plans):
            if plan.rule.processing_rule_id == UUID(wanted):
                return at
        raise ValueError(f"its input, the rule {wanted}, is not active")

    def _scope(self, rule: ProcessingRule, given: dict[str, Any], source: int | None) -> Mask:
        """The sensors that an input speaks of; never a sensitive one."""
        directory = self.directory
        count = directory.sensor_count
        device = directory.sensor_device[:count]
        if source is None:
            scope = directory.device_organization[device] == rule.organization
            scope &= ~directory.sensor_sensitive[:count]
        else:
            scope = self.plans[source].scope.copy()
        if rule.device_type is not None:
            names = directory.device_type_names
            wanted = [i for i, name in enumerate(names) if name == rule.device_type]
            scope &= np.isin(directory.device_type[device], wanted)
        if (kind := given.get("sensor_type")) is not None:
            scope &= directory.sensor_type[:count] == SensorType.of(kind)
        if (name := given.get("sensor")) is not None:
            scope &= directory.sensor_name[:count] == directory.words.codes([name])[0]
        if (sensor := given.get("sensor_id")) is not None:
            high, low = divmod(UUID(sensor).int, 1 << 64)
            scope &= directory.sensor_high[:count] == np.uint64(high)
            scope &= directory.sensor_low[:count] == np.uint64(low)
        return np.asarray(scope, dtype=np.bool_)

    def _pair(self, scopes: list[Mask]) -> tuple[Mask, list[Indexes]]:
        """Sensors of the first input whose device has one of each other, and which that is.

        Where a device has several, the one that was enrolled first.
        """
        directory = self.directory
        device = directory.sensor_device[: directory.sensor_count]
        scope, partners = scopes[0], []
        for other in scopes[1:]:
            sensors = np.flatnonzero(other)[::-1].astype(np.int32)
            of_device = np.full(directory.device_count, NOWHERE, dtype=np.int32)
            of_device[device[sensors]] = sensors
            partners.append(of_device[device])
            scope = scope & (partners[-1] >= 0)
        return scope, partners

    def _units(self, source: int | None) -> Indexes:
        if source is None:
            return self.directory.sensor_unit[: self.directory.sensor_count]
        return self.plans[source].unit

    def _fit(
        self, settings: rules.Settings, scope: Mask, units: list[Indexes]
    ) -> tuple[list[Fit], Indexes]:
        """How the settings fit each combination of units, and by sensor which that is.

        A sensor that came after the rule was saved, in a unit that does not fit, is left out.
        """
        which = np.full(len(scope), NOWHERE, dtype=np.int32)
        sensors = np.flatnonzero(scope)
        fits: list[Fit] = []
        if not len(sensors):
            return fits, which
        codes = np.stack([unit[sensors] for unit in units], axis=1)
        distinct, back = np.unique(codes, axis=0, return_inverse=True)
        places = []
        for row in distinct.tolist():
            try:
                fits.append(settings.fit(tuple(self.directory.words.text(one) for one in row)))
                places.append(len(fits) - 1)
            except ValueError:
                places.append(NOWHERE)
        which[sensors] = np.array(places, dtype=np.int32)[back.reshape(-1)]
        return fits, which

    def _outcome(self, fits: list[Fit], which: Indexes) -> Indexes:
        codes = self.directory.words.codes([fit.unit for fit in fits])
        return np.append(np.array(codes, dtype=np.int32), NOWHERE)[which].astype(np.int32)

    def _mask(self, partner: Indexes) -> Mask:
        mask = np.zeros(self.directory.sensor_count, dtype=np.bool_)
        mask[partner[partner >= 0]] = True
        return mask

    def _state(self, rule: ProcessingRule, settings: rules.Settings) -> State:
        told = msgspec.json.encode((rule.kind, settings, rule.inputs, rule.device_type))
        key = (rule.processing_rule_id, told)
        state = self.states.get(key)
        if state is None:
            max_age_us = round(settings.look_back_s * 1e6)
            others = range(settings.input_count - 1)
            state = State(settings.operation(), [Pairing(max_age_us) for _ in others])
        state.reserve(self.directory.sensor_count)
        self._kept[key] = state
        return state


def in_order(given: Sequence[ProcessingRule]) -> list[ProcessingRule]:
    """Rules after those that they take as inputs; none that is part of a cycle."""
    done: dict[UUID, ProcessingRule] = {}
    left = {rule.processing_rule_id: rule for rule in given}
    while True:
        ready = [r for r in left.values() if not any(one in left for one in inputs_of(r.inputs))]
        if not ready:
            return list(done.values())
        for rule in ready:
            done[rule.processing_rule_id] = left.pop(rule.processing_rule_id)


def inputs_of(inputs: Sequence[dict[str, Any]]) -> list[UUID]:
    """The rules that a rule takes as inputs."""
    return [UUID(one["processing_rule_id"]) for one in inputs if one.get("processing_rule_id")]


def _lines(given: list[Any], which: Indexes) -> Lines | None:
    if all(tuple(line) == (1.0, 0.0) for line in given):
        return None
    table = np.array([*given, (1.0, 0.0)])
    return Lines(table[which, 0].copy(), table[which, 1].copy())
