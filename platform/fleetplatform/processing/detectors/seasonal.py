"""seasonal: hour of the week, a slow trend and the last hour's deviation, forecast an hour ahead.

A value is taken as level + day[hour of day] + week[hour of week] + what remains of the deviation of
the hour before. All of it is learnt as robust exponential smoothing does (Gelper, Fried and Croux,
"Robust Forecasting with Exponential and Holt-Winters Smoothing", Journal of Forecasting 29, 2010):
a reading teaches no more than one two scales away would, so an anomaly hardly moves a forecast.

A forecast is made when a sensor's hour begins and stands until that hour ends; meanwhile only sums
grow, and when the hour has ended they are learnt. So it does not matter how readings are cut into
batches, and what a reading costs does not depend on what came before it. The arithmetic of hours is
`processing/profile.py`; what is done with each reading is here.
"""

import numpy as np
from numpy.typing import NDArray

from fleetplatform.processing import profile
from fleetplatform.processing.detectors import Floats, Sensors

HOUR_US = 3_600_000_000
SCORE_MAX = 5.0
TOO_LARGE = 1e30
"""Values of this size are judged but not learned from: the profile's floats hold 3e38."""


def make() -> "Seasonal":
    """A detector that knows nothing yet."""
    return Seasonal()


class Seasonal:
    """The profiles of all sensors, and the present hour of each.

    Whoever writes them down gets from `take` what has moved since the last time.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._profile = profile.fresh_profiles(0)
        self._hour = profile.fresh_hours(0)
        self._moved = np.zeros(0, dtype=np.bool_)
        self._learnt = np.zeros(0, dtype=np.bool_)

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""
        missing = sensors - len(self._hour)
        if missing <= 0:
            return
        missing = max(missing, len(self._hour))
        self._profile = np.concatenate([self._profile, profile.fresh_profiles(missing)])
        self._hour = np.concatenate([self._hour, profile.fresh_hours(missing)])
        self._moved = np.concatenate([self._moved, np.zeros(missing, dtype=np.bool_)])
        self._learnt = np.concatenate([self._learnt, np.zeros(missing, dtype=np.bool_)])

    def take(self) -> tuple[Sensors, Floats, Sensors, NDArray[np.void]]:
        """Sensors whose hours have moved, these hours, those whose profiles have, and these."""
        moved = np.flatnonzero(self._moved).astype(np.int32)
        learnt = np.flatnonzero(self._learnt).astype(np.int32)
        self._moved[:] = False
        self._learnt[:] = False
        return moved, self._hour[moved], learnt, self._profile[learnt]

    def mark(self, moved: Sensors, learnt: Sensors) -> None:
        """Have `take` give these once more."""
        self._moved[moved] = True
        self._learnt[learnt] = True

    def put(self, sensor: Sensors, profiles: NDArray[np.void], hours: Floats) -> None:
        """Set what is known of some sensors to what `take` gave of them."""
        self.reserve(int(sensor.max(initial=-1)) + 1)
        self._profile[sensor] = profiles
        self._hour[sensor] = hours

    def observe(
        self, sensor: Sensors, measured_us: NDArray[np.int64], value: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Score n readings, sorted by sensor and time, and learn from them.

        Gives the scores, 3 at the limit and 5 at most, NaN without a baseline of 30 readings in
        two hours, and which readings are anomalies.
        """
        score = np.full(len(sensor), np.nan)
        anomaly = np.zeros(len(sensor), dtype=np.bool_)
        hour, within_us = np.divmod(measured_us, HOUR_US)
        hours = np.unique(hour)
        for one in hours.tolist():
            at = slice(None) if len(hours) == 1 else np.flatnonzero(hour == one)
            score[at], anomaly[at] = self._observe_hour(
                sensor[at], one, within_us[at] / HOUR_US, value[at]
            )
        return score, anomaly

    def _observe_hour(
        self, sensor: Sensors, hour: int, place: Floats, value: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        usable = np.abs(value) < TOO_LARGE
        self._begin(sensor, hour, np.where(usable, value, 0.0))
        rows = self._hour[sensor, : profile.COUNT]
        error = value - rows[:, profile.BASE]
        error -= rows[:, profile.SLOPE] * (place - rows[:, profile.MIDDLE])
        # An hour that is over already, of a clock that was set back, is neither judged nor learnt.
        usable &= rows[:, profile.BEGAN] == hour
        size, limit = np.abs(error), rows[:, profile.LIMIT]
        limit[rows[:, profile.BEGAN] != hour] = np.nan
        self._sum(sensor, place, error, rows[:, profile.SCALE], usable)
        with np.errstate(over="ignore"):
            return np.minimum(size / limit * profile.SIGMAS, SCORE_MAX), size > limit

    def _begin(self, sensor: Sensors, hour: int, value: Floats) -> None:
        """Learn the hours that are over and forecast the one that begins."""
        before = self._hour[sensor, profile.BEGAN]
        stale = np.flatnonzero(before < hour)
        if not len(stale):
            return
        first = stale[np.diff(sensor[stale], prepend=-1) != 0]
        which = sensor[first]
        rows, profiles = self._hour[which], self._profile[which]
        over = rows[:, profile.COUNT] > 0
        if over.all():
            profile.learn(profiles, rows)
        elif over.any():
            ended = profiles[over]
            profile.learn(ended, rows[over])
            profiles[over] = ended
        begin = np.full(len(which), hour)
        last = rows[:, profile.BEGAN].astype(np.int64)
        self._hour[which] = profile.forecast(profiles, last, begin, value[first])
        self._profile[which] = profiles
        self._learnt[which] = True
        self._moved[which] = True

    def _sum(
        self, sensor: Sensors, place: Floats, error: Floats, scale: Floats,
        usable: NDArray[np.bool_],
    ) -> None:
        """Add to the sums of the present hours, reading by reading in their order."""
        if not usable.all():
            sensor, place = sensor[usable], place[usable]
            error, scale = error[usable], scale[usable]
        clip = profile.CLIP * scale
        size = np.abs(error)
        known = np.isfinite(scale)
        with np.errstate(invalid="ignore"):
            inside = 1.0 - np.minimum(size / clip, 1.0) ** 2
            rho = profile.RHO_TOP * (1.0 - inside**3) * scale**2
        columns = (
            (profile.COUNT, np.ones(len(sensor))),
            (profile.PLACE, place),
            (profile.DEVIATION, np.clip(error, -clip, clip)),
            (profile.SQUARE, np.where(known, rho, error**2)),
            (profile.CLIPPED, (size > clip).astype(np.float64)),
        )
        self._moved[sensor] = True
        if len(sensor) < 2 or (np.diff(sensor) > 0).all():
            for column, addend in columns:
                self._hour[sensor, column] += addend
            most = self._hour[sensor, profile.LARGEST]
            self._hour[sensor, profile.LARGEST] = np.maximum(most, size)
            return
        for column, addend in columns:
            np.add.at(self._hour[:, column], sensor, addend)
        np.maximum.at(self._hour[:, profile.LARGEST], sensor, size)
