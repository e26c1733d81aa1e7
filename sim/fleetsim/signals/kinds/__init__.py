"""Signals, one file a kind: how a true value moves.

A kind is a module with a struct `Settings` (the keys of `simulation.sensors.<name>.signal`)
whose static method `build` makes the signal of all sensors of that kind in a shard at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The m sensors of a shard whose signal is of one kind.

    settings: of each model · model: int32[m], index into settings · draw_id: int64[m], names the
    sensor for draws · start_us: when the load begins, virtual.
    """

    settings: list[Any]
    model: NDArray[np.int32]
    draw_id: Ints
    seed: int
    start_us: int

    def column(self, value: Callable[[Any], float]) -> Floats:
        """A value of the settings for each sensor."""
        return np.array([value(settings) for settings in self.settings], dtype=float)[self.model]


class Signal(Protocol):
    """A kind's sensors."""

    def values(self, at: NDArray[np.intp], tick: Ints, t_us: Ints) -> Floats:
        """The true values of n readings; `at` counts the group's sensors.

        The same value for the same (sensor, tick, time), whatever else is asked for with it.
        """


class SignalSettings(Protocol):
    """What the sampler asks the settings of any kind."""

    @staticmethod
    def build(group: Group) -> Signal:
        """The signal of a group; raises PlanError."""
