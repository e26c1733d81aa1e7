"""True values of the sensors of a shard, whatever their signals."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fleetsim.errors import PlanError
from fleetsim.settings import DeviceTypeSettings, FleetPlan, SensorSimulation
from fleetsim.signals.kinds import Floats, Group, Ints, Signal


class Model(Protocol):
    """One sensor of one device type."""

    @property
    def simulation(self) -> SensorSimulation:
        """How it is simulated."""


class Sensors(Protocol):
    """What the sampler asks of a shard's sensors.

    sensor_model: int32[S], index into models · draw_id: int64[S], names a sensor for draws.
    """

    sensor_model: NDArray[np.int32]
    draw_id: Ints

    @property
    def models(self) -> Sequence[Model]:
        """Every sensor of every device type."""


class Sampler:
    """The signals of a shard, one object a kind; a call is split by kind only where need be."""

    def __init__(self, plan: FleetPlan, sensors: Sensors) -> None:
        settings = [model.simulation.signal for model in sensors.models]
        kinds = list(dict.fromkeys(type(entry) for entry in settings))
        kind_of_model = np.array([kinds.index(type(entry)) for entry in settings], dtype=np.int8)
        self._kind = kind_of_model[sensors.sensor_model]
        self._place = np.zeros(len(self._kind), dtype=np.intp)
        self._signals: list[Signal] = []
        for index, kind in enumerate(kinds):
            members = np.flatnonzero(self._kind == index)
            self._place[members] = np.arange(len(members))
            models = np.flatnonzero(kind_of_model == index)
            group = Group(
                [settings[i] for i in models.tolist()],
                np.searchsorted(models, sensors.sensor_model[members]).astype(np.int32),
                sensors.draw_id[members],
                plan.seed,
                plan.start_us,
            )
            self._signals.append(kind.build(group))

    def true_values(self, sensor: NDArray[np.int32], tick: Ints, t_us: Ints) -> Floats:
        """The true values of n readings, in the units of their sensors.

        Equal bits for the same reading in any call; cheapest sorted by sensor, then tick, and
        with each sensor's ticks in order from call to call.
        """
        place = self._place[sensor]
        if len(self._signals) == 1:
            return self._signals[0].values(place, tick, t_us)
        value, kind = np.empty(len(sensor)), self._kind[sensor]
        for index, signal in enumerate(self._signals):
            rows = np.flatnonzero(kind == index)
            if len(rows) == len(sensor):
                return signal.values(place, tick, t_us)
            if len(rows):
                value[rows] = signal.values(place[rows], tick[rows], t_us[rows])
        return value


def check(device_types: Mapping[str, DeviceTypeSettings]) -> None:
    """Build every signal once; raises PlanError that names the device type and the sensor."""
    for name, device_type in device_types.items():
        for sensor, simulation in device_type.simulation.sensors.items():
            signal: Any = simulation.signal
            one = np.zeros(1, dtype=np.int64)
            try:
                signal.build(Group([signal], one.astype(np.int32), one, 0, 0))
            except PlanError as error:
                where = f"device_type.{name}.simulation.sensors.{sensor}.signal"
                raise type(error)(f"{where}: {error}") from error
