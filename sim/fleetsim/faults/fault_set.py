"""All faults of a run, as a shard's sensors have them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fleetconf import kinds
from fleetsim.devices.population import Population
from fleetsim.draws import uniform
from fleetsim.errors import PlanError
from fleetsim.faults.kinds import Floats, Ints, Touched
from fleetsim.faults.sensor_fault import SensorFault, choose
from fleetsim.ledger.truth import Interval
from fleetsim.load.schedule import Schedule
from fleetsim.settings import FleetPlan
from fleetsim.signals import Sampler

CAUSES: dict[int, str] = {
    module.Settings.label: name for name, module in kinds.find("fleetsim.faults.kinds").items()
}
"""The kind of fault behind each label of `FaultSet.apply`; 0 is none."""


@dataclass(slots=True, eq=False)
class _Planted:
    """A fault and who has it; at_begin holds true values of first readings, NaN until known."""

    fault: SensorFault
    has: NDArray[np.bool_]
    at_begin: Floats


class FaultSet:
    """add(fault) before its start …, apply(readings) … → truth().

    What a fault does to a reading depends on that reading alone, so calls may be cut and ordered
    in any way.
    """

    def __init__(
        self, plan: FleetPlan, population: Population, schedule: Schedule, sampler: Sampler
    ) -> None:
        self._plan = plan
        self._population = population
        self._schedule = schedule
        self._sampler = sampler
        self._planted: list[_Planted] = []

    def add(self, fault: SensorFault) -> None:
        """Plant a fault; raises PlanError when no sensor of the fleet can have it."""
        if any(planted.fault.order == fault.order for planted in self._planted):
            raise PlanError(f"two faults have the same place {fault.order} in the timeline")
        has = choose(fault, self._plan, self._population)
        self._planted.append(_Planted(fault, has, np.full(len(has), np.nan)))
        self._planted.sort(key=lambda planted: planted.fault.order)

    def apply(
        self, sensor: NDArray[np.int32], tick: Ints, t_us: Ints, value: Floats
    ) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int8]]:
        """What n sensors measure where `value` is true; which readings are withheld; labels.

        The label is that of the last fault that touched the reading, 0 for none. `value` is left
        as it is.
        """
        withheld = np.zeros(len(sensor), dtype=np.bool_)
        label = np.zeros(len(sensor), dtype=np.int8)
        if not self._planted or not len(sensor):
            return value, withheld, label
        first_us, last_us = int(t_us.min()), int(t_us.max())
        distorted = value
        for planted in self._planted:
            fault = planted.fault
            if last_us < fault.start_us or first_us >= fault.end_us:
                continue
            within = planted.has[sensor]
            if first_us < fault.start_us or last_us >= fault.end_us:
                within &= (t_us >= fault.start_us) & (t_us < fault.end_us)
            # What is withheld reaches no later fault, so its label says who withheld it.
            rows = np.flatnonzero(within & ~withheld)
            if not len(rows):
                continue
            if distorted is value:
                distorted = value.copy()
            at, when = sensor[rows], tick[rows]
            effect = fault.kind.act(
                Touched(
                    distorted[rows],
                    partial(self._draw, fault, at, when),
                    partial(self._at_begin, planted, at),
                )
            )
            distorted[rows] = effect.value
            label[rows[effect.hit]] = fault.kind.label
            if effect.withholds:
                withheld[rows[effect.hit]] = True
        return distorted, withheld, label

    def truth(self) -> list[Interval]:
        """Every fault of every sensor that has it, by fault, then by sensor."""
        return [interval for planted in self._planted for interval in self._intervals(planted)]

    def _intervals(self, planted: _Planted) -> Iterator[Interval]:
        fault, population = planted.fault, self._population
        sensors = np.flatnonzero(planted.has)
        devices = population.device_ordinal[population.sensor_device[sensors]]
        ordinals = population.sensor_ordinal[sensors]
        for device, ordinal in zip(devices.tolist(), ordinals.tolist(), strict=True):
            yield Interval(
                fault.kind_name, device, ordinal, fault.start_us, fault.end_us, fault.kind.severity
            )

    def _draw(self, fault: SensorFault, sensor: NDArray[np.int32], tick: Ints) -> Floats:
        draw_id = self._population.draw_id[sensor]
        return uniform(self._plan.seed, fault.fate_stream, draw_id, tick)

    def _at_begin(self, planted: _Planted, sensor: NDArray[np.int32]) -> Floats:
        """The true value of each sensor's first reading since the fault began.

        Asked for while such a reading is being made, so the schedule up to it is settled.
        """
        unknown = np.unique(sensor[np.isnan(planted.at_begin[sensor])])
        if len(unknown):
            device = self._population.sensor_device[unknown].astype(np.intp)
            tick = self._schedule.first_ticks(device, planted.fault.start_us)
            t_us = self._schedule.times_us(device, tick)
            planted.at_begin[unknown] = self._sampler.true_values(unknown, tick, t_us)
        return planted.at_begin[sensor]
