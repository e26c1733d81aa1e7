"""time_weighted_average: each value counts for as long as it held, until the next one came."""

from typing import Any

import numpy as np

from fleetplatform.processing.rules import KEPT_MAX, Floats, Made, Sensors, Times, check_span
from fleetplatform.processing.rules import Settings as BaseSettings
from fleetplatform.processing.rules._history import History
from fleetplatform.processing.rules.window import reduced


class Settings(BaseSettings, frozen=True, kw_only=True):
    """window_s: the average is that of the time from t − window to t, of KEPT_MAX values at most.

    The value that held when the window began is known if it was measured in the window before it.
    """

    window_s: float

    def check(self) -> None:
        """The window must be one that can be kept."""
        check_span("window_s", 2 * self.window_s)

    @property
    def look_back_s(self) -> float:
        """The window, and the reading before it."""
        return 2 * self.window_s

    @property
    def depth(self) -> int:
        """All that a window can hold."""
        return KEPT_MAX

    def operation(self) -> "TimeWeightedAverage":
        """Remembers the readings of the window and one before it."""
        return TimeWeightedAverage(round(self.window_s * 1e6))


class TimeWeightedAverage:
    """A sensor's first reading makes nothing: its value has not held for any time yet."""

    def __init__(self, window_us: int) -> None:
        self._window_us = window_us
        self._history = History(window_us)

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""
        self._history.reserve(sensors)

    def make(self, sensor: Sensors, t_us: Times, inputs: tuple[Floats, ...]) -> Made:
        """The averages of n readings, over the part of the window whose values are known."""
        joined = self._history.join(sensor, t_us, inputs[0])
        began_us = t_us - self._window_us
        before = np.maximum(joined.low - 1, 0)
        held = (joined.low > joined.start) & (joined.t_us[before] > began_us - self._window_us)
        first = np.where(held, before, joined.low)
        rows = np.flatnonzero(first < joined.at)
        first, last = first[rows], joined.at[rows]
        # How long each value held, until the next; the first only from where the window began.
        lasted_us = np.diff(joined.t_us, append=0).astype(np.float64)
        area = reduced(np.add, joined.value * lasted_us, first, last)
        early_us = np.maximum(began_us[rows] - joined.t_us[first], 0)
        area -= joined.value[first] * early_us
        span_us = t_us[rows] - joined.t_us[first] - early_us
        return Made(rows, area / span_us, joined.cut[rows], joined.kept)

    def settle(self, state: Any) -> None:
        """Remember the windows as they end."""
        self._history.settle(state)
