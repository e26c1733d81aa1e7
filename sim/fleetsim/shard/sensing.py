"""What the sensors of some devices measure: due, true, faulty, as sensed. Pure from the seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetsim.devices.population import Population
from fleetsim.faults import FaultSet, SensorFault
from fleetsim.load.change import LoadChange
from fleetsim.load.schedule import Due, Schedule
from fleetsim.settings import FleetPlan
from fleetsim.signals.sampler import Sampler

Order = SensorFault | LoadChange
"""What the timeline may ask of a fleet."""


def start_of(order: Order) -> int:
    """Virtual time in µs from which an order changes anything."""
    return order.start_us if isinstance(order, SensorFault) else order.at_us


def some(due: Due, which: slice | NDArray[np.bool_]) -> Due:
    """Some of the readings that are due."""
    return Due(due.sensor[which], due.tick[which], due.t_us[which])


@dataclass(frozen=True, slots=True)
class Measured:
    """What was due, with raw values as the sensors send them, and which a fault withholds.

    label: int8, the fault that touched the reading, 0 for none.
    """

    due: Due
    raw: NDArray[np.float64]
    withheld: NDArray[np.bool_]
    label: NDArray[np.int8]


class Sensing:
    """apply(order) …, due(from, until) → measure(due): the same from any instance, in any steps."""

    def __init__(self, plan: FleetPlan, population: Population) -> None:
        self._population = population
        self._schedule = Schedule(plan, population)
        self._sampler = Sampler(plan, population)
        self.faults = FaultSet(plan, population, self._schedule, self._sampler)

    def apply(self, order: Order) -> None:
        """Take an order before its start is reached."""
        if isinstance(order, SensorFault):
            self.faults.add(order)
        else:
            self._schedule.change(order)

    def due(self, from_us: int, until_us: int) -> Due:
        """All readings with from_us <= t_us < until_us, by device, sensor and tick."""
        return self._schedule.due(from_us, until_us)

    def measure(self, due: Due) -> Measured:
        """The readings that are due, as sensed."""
        sensor, tick, t_us = due.sensor, due.tick, due.t_us
        true_values = self._sampler.true_values(sensor, tick, t_us)
        values, withheld, label = self.faults.apply(sensor, tick, t_us, true_values)
        return Measured(due, self._population.as_sensed(sensor, values), withheld, label)
