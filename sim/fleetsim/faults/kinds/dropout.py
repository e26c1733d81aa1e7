"""dropout: readings, drawn at random, never leave the device."""

from typing import ClassVar

from fleetconf.units import Share
from fleetsim.faults.kinds import Effect, Touched
from fleetsim.settings import Settings as BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """probability: of a reading to be withheld; 100% silences the sensor."""

    label: ClassVar[int] = 3
    severity: ClassVar[float] = 0.0

    probability: Share

    def act(self, touched: Touched) -> Effect:
        """Some readings are withheld, with the value they would have had."""
        return Effect(touched.draw() < self.probability, touched.value, withholds=True)
