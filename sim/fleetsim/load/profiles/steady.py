"""steady: the base load, all the time."""

import math

from fleetsim.load.profiles import Leg
from fleetsim.settings import Settings as BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """A steady load has no keys."""

    def legs(self) -> tuple[Leg, ...]:
        """One level leg."""
        return (Leg(math.inf, 1.0, 1.0),)
