"""window: mean, min, max, sum or standard deviation over the time that ends with each reading."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fleetplatform.processing import units
from fleetplatform.processing.rules import (
    KEPT_MAX,
    Fit,
    Floats,
    Made,
    Positions,
    Sensors,
    Times,
    check_span,
)
from fleetplatform.processing.rules import Settings as BaseSettings
from fleetplatform.processing.rules._history import History


class Settings(BaseSettings, frozen=True, kw_only=True):
    """function · window_s: readings of (t − window, t], of which the newest KEPT_MAX count.

    stddev is that of the population: 0 for one reading.
    """

    function: Literal["mean", "min", "max", "sum", "stddev"]
    window_s: float

    def check(self) -> None:
        """The window must be one that can be kept."""
        check_span("window_s", self.window_s)

    @property
    def look_back_s(self) -> float:
        """The window."""
        return self.window_s

    @property
    def depth(self) -> int:
        """All that a window can hold."""
        return KEPT_MAX

    def fit(self, given: tuple[str, ...]) -> Fit:
        """The input's unit; a deviation is a difference."""
        is_difference = self.function == "stddev"
        unit = units.difference(given[0]) if is_difference else given[0]
        return Fit((units.SAME,), units.SAME, unit)

    def operation(self) -> "Window":
        """Remembers the readings of the window."""
        return Window(round(self.window_s * 1e6), _FUNCTIONS[self.function])


class Window:
    """An aggregate for each reading, that reading included."""

    def __init__(
        self, window_us: int, function: Callable[[Floats, Positions, Positions], Floats]
    ) -> None:
        self._history = History(window_us)
        self._function = function

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""
        self._history.reserve(sensors)

    def make(self, sensor: Sensors, t_us: Times, inputs: tuple[Floats, ...]) -> Made:
        """The aggregates of n readings."""
        joined = self._history.join(sensor, t_us, inputs[0])
        values = self._function(joined.value, joined.low, joined.at + 1)
        return Made(np.arange(len(sensor)), values, joined.cut, joined.kept)

    def settle(self, state: Any) -> None:
        """Remember the windows as they end."""
        self._history.settle(state)


def reduced(
    function: np.ufunc, values: Floats, start: Positions, stop: Positions
) -> Floats:
    """A function over each of n stretches [start, stop), none empty: one pass, no running sums."""
    if not len(start):
        return np.zeros(0)
    ends = np.column_stack([start, stop]).ravel()
    padded = np.append(values, 0.0)
    found: Floats = function.reduceat(padded, ends)[::2]
    return found


def _mean(values: Floats, start: Positions, stop: Positions) -> Floats:
    return reduced(np.add, values, start, stop) / (stop - start)


def _stddev(values: Floats, start: Positions, stop: Positions) -> Floats:
    """In two passes, as the deviations from each stretch's own mean."""
    count = stop - start
    mean = _mean(values, start, stop)
    end = np.cumsum(count)
    at = np.arange(int(count.sum())) + np.repeat(start - (end - count), count)
    squares = (values[at] - np.repeat(mean, count)) ** 2
    return np.sqrt(_mean(squares, end - count, end))


_FUNCTIONS: dict[str, Callable[[Floats, Positions, Positions], Floats]] = {
    "mean": _mean,
    "min": lambda values, start, stop: reduced(np.minimum, values, start, stop),
    "max": lambda values, start, stop: reduced(np.maximum, values, start, stop),
    "sum": lambda values, start, stop: reduced(np.add, values, start, stop),
    "stddev": _stddev,
}
