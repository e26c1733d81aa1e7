"""diurnal: a daily and a yearly wave around a level of each sensor's own, and AR(1) noise."""

from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fleetconf.units import Duration
from fleetsim.draws import Purpose, normal
from fleetsim.settings import Settings as BaseSettings
from fleetsim.signals.autoregression import Autoregression
from fleetsim.signals.kinds import Floats, Group, Ints

_DAY_US = 86_400_000_000
_YEAR_DAYS = 365.2425
# 2000-01-01 00:00 UTC, from which a day's place in the year is counted.
_EPOCH_US = 946_684_800_000_000
_LEVEL = Purpose.LEVEL * 1024
_NOISE = Purpose.NOISE * 1024


class Settings(BaseSettings, frozen=True, kw_only=True):
    """All in the sensor's unit but for times and the correlation.

    mean, mean_spread: normal distribution of the sensors' own levels · daily_amplitude,
    daily_peak: the day's wave and its highest time of day, UTC · seasonal_amplitude,
    seasonal_peak_day: the year's wave and its highest day · noise_sd: standard deviation of the
    noise · noise_correlation: between the noise of one reading and the next.
    """

    mean: float
    mean_spread: Annotated[float, Meta(ge=0)]
    daily_amplitude: float
    daily_peak: Duration
    seasonal_amplitude: float
    seasonal_peak_day: float
    noise_sd: Annotated[float, Meta(ge=0)]
    noise_correlation: Annotated[float, Meta(ge=0, lt=1)]

    @staticmethod
    def build(group: Group) -> "Diurnal":
        """The sensors that follow day and year."""
        return Diurnal(group)


class Diurnal:
    """level + daily wave + yearly wave + noise."""

    def __init__(self, group: Group) -> None:
        mean = group.column(lambda s: s.mean)
        spread = group.column(lambda s: s.mean_spread)
        self._level = mean + spread * normal(group.seed, _LEVEL, group.draw_id, 0)
        self._daily = group.column(lambda s: s.daily_amplitude)
        self._daily_peak = group.column(lambda s: s.daily_peak / 86_400)
        self._seasonal = group.column(lambda s: s.seasonal_amplitude)
        self._seasonal_peak = group.column(lambda s: s.seasonal_peak_day)
        self._noise_sd = group.column(lambda s: s.noise_sd)
        correlation = group.column(lambda s: s.noise_correlation)
        self._noise = Autoregression(group.seed, _NOISE, group.draw_id, correlation)
        self._has_seasons, self._has_noise = bool(self._seasonal.any()), bool(self._noise_sd.any())

    def values(self, at: NDArray[np.intp], tick: Ints, t_us: Ints) -> Floats:
        """The values of n readings."""
        day = (t_us - _EPOCH_US) / _DAY_US
        value = _wave(day - self._daily_peak[at], 1.0)
        value *= self._daily[at]
        value += self._level[at]
        if self._has_seasons:
            season = _wave(day - self._seasonal_peak[at], _YEAR_DAYS)
            season *= self._seasonal[at]
            value += season
        if self._has_noise:
            noise = self._noise.values(at, tick)
            noise *= self._noise_sd[at]
            value += noise
        return value


def _wave(days: Floats, period_days: float) -> Floats:
    """A cosine that is 1 at whole periods; works in place.

    Whole periods are taken off first, so that the cosine's argument is small and exact.
    """
    if period_days != 1.0:
        days /= period_days
    days -= np.rint(days)
    days *= 2 * np.pi
    return np.cos(days, out=days)
