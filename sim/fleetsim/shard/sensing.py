"""What the sensors of some devices measure: due, true, faulty, as sensed. Pure from the seed."""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from fleetsim.devices.choice import choose_share
from fleetsim.devices.population import Population
from fleetsim.errors import PlanError
from fleetsim.faults import FaultSet, SensorFault
from fleetsim.load.backlog import ORDER_MAX, Backlog
from fleetsim.load.change import LoadChange
from fleetsim.load.profiles import steady
from fleetsim.load.schedule import Due, Schedule
from fleetsim.settings import FleetPlan
from fleetsim.signals.sampler import Sampler

Order = SensorFault | LoadChange | Backlog
"""What the timeline may ask of a fleet."""

FIRST_PAST_TICK = 1 << 39
"""Readings of backlogs have ticks from here on, 2^28 for each: none is one of the load."""
_TICKS_OF_BACKLOG = 1 << 28


def start_of(order: Order) -> int:
    """Virtual time in µs from which an order changes anything."""
    return order.start_us if isinstance(order, SensorFault) else order.at_us


def is_past(tick: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of n readings are of a backlog."""
    return tick >= FIRST_PAST_TICK


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
        self._plan = plan
        self._population = population
        self._pasts: list[Past] = []
        self._schedule = Schedule(plan, population)
        self._sampler = Sampler(plan, population)
        self.faults = FaultSet(plan, population, self._schedule, self._sampler)

    def apply(self, order: Order) -> None:
        """Take an order before its start is reached."""
        if isinstance(order, SensorFault):
            self.faults.add(order)
        elif isinstance(order, Backlog):
            if any(order.overlaps(past.backlog) for past in self._pasts):
                raise PlanError("two backlogs with readings of the same time; give them apart")
            self._pasts.append(Past(self._plan, self._population, order))
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

    def delivered(self, from_us: int, until_us: int) -> list[Measured]:
        """What backlogs deliver while the load is between two times."""
        found = [past.delivered(from_us, until_us) for past in self._pasts]
        return [one for one in found if one is not None]


class Past:
    """A backlog: what the devices in it measured before the load began, slot by slot.

    Faults of the timeline are of the load alone and touch nothing here.
    """

    def __init__(self, plan: FleetPlan, population: Population, backlog: Backlog) -> None:
        if not 0 <= backlog.order <= ORDER_MAX:
            raise PlanError(f"a timeline holds {ORDER_MAX + 1} entries at most")
        if (backlog.until_us - backlog.since_us) / 1e6 / backlog.interval >= _TICKS_OF_BACKLOG:
            raise PlanError("a backlog of more readings than one sensor can have: make it shorter")
        everything = np.ones(len(population.type_names), dtype=np.bool_)
        chosen = choose_share(
            backlog.share, backlog.choice_stream, everything, plan, population
        )
        load = msgspec.structs.replace(
            plan.load, profile=steady.Settings(), interval=backlog.interval, rate=None
        )
        then = msgspec.structs.replace(plan, start_us=backlog.since_us, load=load)
        self.backlog = backlog
        # Index in the shard's population of each sensor of the chosen devices.
        self._place = np.flatnonzero(chosen[population.sensor_device]).astype(np.int32)
        self._sensing: Sensing | None = None
        if len(self._place):
            ordinals = population.device_ordinal[chosen]
            self._sensing = Sensing(then, Population.of(then, ordinals))
        self._first_tick = FIRST_PAST_TICK + backlog.order * _TICKS_OF_BACKLOG

    def delivered(self, from_us: int, until_us: int) -> Measured | None:
        """What leaves while the load is between two times; None for nothing.

        Sensors are those of the shard's population.
        """
        since_us, end_us = map(self.backlog.measured_us, (from_us, until_us))
        if self._sensing is None or since_us == end_us:
            return None
        due = self._sensing.due(since_us, end_us)
        if not len(due.t_us):
            return None
        found = self._sensing.measure(due)
        told = Due(self._place[due.sensor], due.tick + self._first_tick, due.t_us)
        return Measured(told, found.raw, found.withheld, found.label)
