"""clamp: what lies outside a range becomes its nearer end."""

import math

import numpy as np

from fleetplatform.processing.rules import Floats, Stateless
from fleetplatform.processing.rules import Settings as BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """min, max: in the input's unit; null: no such end."""

    min: float | None = None
    max: float | None = None

    def check(self) -> None:
        """There must be a range."""
        if self.min is None and self.max is None:
            raise ValueError("min, max: give at least one of them")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min lies above max")

    def operation(self) -> "Clamp":
        """The range."""
        low = -math.inf if self.min is None else self.min
        return Clamp(low, math.inf if self.max is None else self.max)


class Clamp(Stateless):
    """One range for all sensors."""

    def __init__(self, low: float, high: float) -> None:
        self._low = low
        self._high = high

    def values(self, *inputs: Floats) -> Floats:
        """The values of n readings."""
        return np.clip(inputs[0], self._low, self._high)
