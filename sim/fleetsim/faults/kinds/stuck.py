"""stuck: the sensor goes on sending what it measured when the fault began."""

from typing import ClassVar

import numpy as np

from fleetsim.faults.kinds import Effect, Touched
from fleetsim.settings import Settings as BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """A stuck sensor has no keys."""

    label: ClassVar[int] = 1
    severity: ClassVar[float] = 0.0

    def act(self, touched: Touched) -> Effect:
        """Every reading has the value of the first."""
        return Effect(np.ones(len(touched.value), dtype=np.bool_), touched.at_begin())
