"""Readings made again from the seed, with what became of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetsim.devices.population import Population
from fleetsim.ledger.exceptions import Exceptions
from fleetsim.ledger.report import Disposition, Readings
from fleetsim.settings import FleetPlan
from fleetsim.shard.sensing import Measured, Order, Sensing, some

_READINGS_PER_STEP = 500_000


def replay(
    plan: FleetPlan,
    population: Population,
    orders: Sequence[Order],
    sensors: NDArray[np.int64],
    until_us: int,
    exceptions: Exceptions,
) -> Readings:
    """All readings of `sensors` (indexes in the population) from the start until `until_us`.

    What backlogs delivered comes after the rest. Only the devices of these sensors are made again.
    The orders are those the shard was given.
    """
    wanted = np.zeros(len(population.sensor_device), dtype=np.bool_)
    wanted[sensors] = True
    devices = np.unique(population.sensor_device[wanted])
    of_devices = np.isin(population.sensor_device, devices)
    place = np.flatnonzero(of_devices).astype(np.int32)
    sensing = Sensing(plan, Population.of(plan, population.device_ordinal[devices]))
    for order in orders:
        sensing.apply(order)
    due = sensing.due(plan.start_us, until_us)
    due = some(due, wanted[place][due.sensor])
    parts = [
        sensing.measure(some(due, slice(start, start + _READINGS_PER_STEP)))
        for start in range(0, len(due.t_us), _READINGS_PER_STEP)
    ]
    parts += [_of(past, wanted[place]) for past in sensing.delivered(plan.start_us, until_us)]
    sensor = place[_join([part.due.sensor for part in parts], np.int32)]
    tick = _join([part.due.tick for part in parts], np.int64)
    t_us = _join([part.due.t_us for part in parts], np.int64)
    disposition = exceptions.dispositions(sensor, tick)
    disposition[_join([part.withheld for part in parts], np.bool_)] = Disposition.WITHHELD
    return Readings(sensor, t_us, _join([part.raw for part in parts], np.float64), disposition)


def _of(measured: Measured, wanted: NDArray[np.bool_]) -> Measured:
    """What some sensors measured."""
    which = wanted[measured.due.sensor]
    return Measured(
        some(measured.due, which), measured.raw[which], measured.withheld[which],
        measured.label[which],
    )  # fmt: skip


def _join(arrays: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
