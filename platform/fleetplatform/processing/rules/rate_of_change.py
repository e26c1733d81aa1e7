"""rate_of_change: the difference to the sensor's reading before, by the time between them."""

from typing import Any

import numpy as np

from fleetplatform.processing import units
from fleetplatform.processing.rules import Fit, Floats, Made, Sensors, Times, check_span
from fleetplatform.processing.rules import Settings as BaseSettings
from fleetplatform.processing.rules._newest import Newest
from fleetplatform.processing.segments import bounds

_PERIODS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}


class Settings(BaseSettings, frozen=True, kw_only=True):
    """per: s, min, h or d · max_gap_s: after a longer silence the first reading has no rate."""

    per: str = "s"
    max_gap_s: float = 3600.0

    def check(self) -> None:
        """The period must be one of time."""
        if self.per not in _PERIODS_S:
            raise ValueError(f"per: {self.per!r} is not one of {', '.join(_PERIODS_S)}")
        check_span("max_gap_s", self.max_gap_s)

    @property
    def look_back_s(self) -> float:
        """The reading before."""
        return self.max_gap_s

    def fit(self, given: tuple[str, ...]) -> Fit:
        """The input's unit by the period's."""
        unit = units.quotient(units.difference(given[0]), self.per)
        return Fit((units.SAME,), units.SAME, unit)

    def operation(self) -> "RateOfChange":
        """Remembers each sensor's newest reading."""
        return RateOfChange(_PERIODS_S[self.per] * 1e6, round(self.max_gap_s * 1e6))


class RateOfChange:
    """A sensor's first reading makes nothing, nor does the first after a gap."""

    def __init__(self, period_us: float, max_gap_us: int) -> None:
        self._period_us = period_us
        self._max_gap_us = max_gap_us
        self._newest = Newest()

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""
        self._newest.reserve(sensors)

    def make(self, sensor: Sensors, t_us: Times, inputs: tuple[Floats, ...]) -> Made:
        """The rates of n readings."""
        value = inputs[0]
        sensors, first, count = bounds(sensor)
        before_t, before = np.roll(t_us, 1), np.roll(value, 1)
        before_t[first], before[first] = self._newest.t_us[sensors], self._newest.value[sensors]
        # A sensor without a reading before has one that is older than any gap.
        at = np.flatnonzero(before_t >= t_us - self._max_gap_us)
        rate = (value[at] - before[at]) * self._period_us / (t_us[at] - before_t[at])
        last = first + count - 1
        return Made(at, rate, None, (sensors, t_us[last], value[last]))

    def settle(self, state: Any) -> None:
        """Remember the newest reading of each sensor."""
        self._newest.settle(*state)
