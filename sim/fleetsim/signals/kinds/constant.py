"""constant: always the same value."""

import numpy as np
from numpy.typing import NDArray

from fleetsim.settings import Settings as BaseSettings
from fleetsim.signals.kinds import Floats, Group, Ints


class Settings(BaseSettings, frozen=True, kw_only=True):
    """value: in the sensor's unit."""

    value: float

    @staticmethod
    def build(group: Group) -> "Constant":
        """The sensors that never change."""
        return Constant(group)


class Constant:
    """One value a sensor."""

    def __init__(self, group: Group) -> None:
        self._value = group.column(lambda settings: settings.value)

    def values(self, at: NDArray[np.intp], tick: Ints, t_us: Ints) -> Floats:
        """The values of n readings."""
        return self._value[at]
