"""spike: single readings, drawn at random, are off by a fixed amount."""

from typing import ClassVar

import numpy as np

from fleetconf.units import Share
from fleetsim.faults.kinds import Effect, Touched
from fleetsim.settings import Settings as BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """magnitude: what is added, in the sensor's unit; may be negative · probability: of a reading
    to be hit.
    """

    label: ClassVar[int] = 2

    magnitude: float
    probability: Share

    @property
    def severity(self) -> float:
        """The height of a spike."""
        return abs(self.magnitude)

    def act(self, touched: Touched) -> Effect:
        """Some readings are off."""
        hit = touched.draw() < self.probability
        return Effect(hit, np.where(hit, touched.value + self.magnitude, touched.value))
