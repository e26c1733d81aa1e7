"""deadband: only what differs enough from what was last given, and a sign of life now and then."""

from typing import Any, ClassVar

import numpy as np

from fleetplatform.processing.rules import Floats, Made, Positions, Sensors, Times, check_span
from fleetplatform.processing.rules import Settings as BaseSettings
from fleetplatform.processing.rules._newest import Newest
from fleetplatform.processing.segments import bounds

_FEW = 32
"""With fewer sensors left, one after another is cheaper than all of them reading by reading."""
_STRETCH = 64


class Settings(BaseSettings, frozen=True, kw_only=True):
    """threshold: in the input's unit · heartbeat_s: after so long the next reading is given too."""

    FROM_OUTPUTS: ClassVar[bool] = True

    threshold: float
    heartbeat_s: float = 3600.0

    def check(self) -> None:
        """The band must have a width."""
        if self.threshold <= 0:
            raise ValueError("threshold must lie above 0")
        check_span("heartbeat_s", self.heartbeat_s)

    @property
    def look_back_s(self) -> float:
        """What was last given."""
        return self.heartbeat_s

    def operation(self) -> "Deadband":
        """Remembers what was last given of each sensor."""
        return Deadband(self.threshold, round(self.heartbeat_s * 1e6))


class Deadband:
    """Given is a sensor's first reading, and each that is `threshold` or more from the last."""

    def __init__(self, threshold: float, heartbeat_us: int) -> None:
        self._threshold = threshold
        self._heartbeat_us = heartbeat_us
        self._newest = Newest()

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""
        self._newest.reserve(sensors)

    def make(self, sensor: Sensors, t_us: Times, inputs: tuple[Floats, ...]) -> Made:
        """Which of n readings are given: all sensors at once, each one's readings in turn."""
        value = inputs[0]
        sensors, first, count = bounds(sensor)
        given = np.zeros(len(sensor), dtype=np.bool_)
        last_t, last = self._newest.t_us[sensors], self._newest.value[sensors]
        turn, left = 0, np.flatnonzero(count > 0)
        while len(left) >= _FEW:
            rows = first[left] + turn
            hit = self._differs(t_us[rows], value[rows], last_t[left], last[left])
            given[rows] = hit
            last_t[left[hit]], last[left[hit]] = t_us[rows[hit]], value[rows[hit]]
            turn += 1
            left = left[count[left] > turn]
        for one in left.tolist():
            rest = np.arange(first[one] + turn, first[one] + count[one])
            found = self._walk(t_us[rest], value[rest], last_t[one], last[one])
            given[rest[found]] = True
        at = np.flatnonzero(given)
        moved, where, times = bounds(sensor[at])
        newest = at[where + times - 1]
        return Made(at, value[at], None, (moved, t_us[newest], value[newest]))

    def _differs(self, t_us: Any, value: Any, last_t: Any, last: Any) -> Any:
        far = np.abs(value - last) >= self._threshold
        return far | (t_us - self._heartbeat_us >= last_t)

    def _walk(self, t_us: Times, value: Floats, last_t: int, last: float) -> Positions:
        """Which of one sensor's readings are given: from one to the next, not one by one."""
        found: list[int] = []
        at = 0
        while at < len(value):
            stretch = slice(at, at + _STRETCH)
            hit = self._differs(t_us[stretch], value[stretch], last_t, last)
            if not hit.any():
                at += _STRETCH
                continue
            at += int(hit.argmax())
            found.append(at)
            last_t, last = t_us[at], value[at]
            at += 1
        return np.array(found, dtype=np.intp)

    def settle(self, state: Any) -> None:
        """Remember what was given last."""
        self._newest.settle(*state)


