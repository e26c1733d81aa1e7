"""ramp: from a part of the base load up to all of it, hold, and down again the same way."""

import math
from typing import Annotated

from msgspec import Meta, field

from fleetconf.units import Duration, Share
from fleetsim.load.profiles import Leg
from fleetsim.settings import Settings as BaseSettings


class Settings(BaseSettings, frozen=True, kw_only=True):
    """from: the part at the begin and at the end · over: how long the way up (and down) takes ·
    hold: how long the whole base load lasts.
    """

    from_: Share = field(name="from")
    over: Annotated[Duration, Meta(gt=0)]
    hold: Duration

    def legs(self) -> tuple[Leg, ...]:
        """Up, level, down, level."""
        low = self.from_
        return (
            Leg(self.over, low, 1.0),
            Leg(self.hold, 1.0, 1.0),
            Leg(self.over, 1.0, low),
            Leg(math.inf, low, low),
        )
