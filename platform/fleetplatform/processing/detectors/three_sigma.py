"""three_sigma: three deviations from the mean of the 24 whole hours before the reading's.

Each sensor keeps count, mean and sum of squared deviations of its last 25 hours. They are
merged as Chan, Golub and LeVeque give it ("Updating Formulae and a Pairwise Algorithm for
Computing Sample Variances", 1979): sums of squares would cancel for a sensor whose mean is large
against its spread.
"""

import numpy as np
from numpy.typing import NDArray

from fleetplatform.processing.detectors import Floats, Sensors

HOUR_US = 3_600_000_000
HOURS = 24
READINGS_MIN = 30
SIGMAS = 3.0
SCORE_MAX = 5.0
LARGEST = 1e100
"""Values of this size are judged but not learned from: no float could hold their summed squares."""
RELATIVE_TOLERANCE = 1e-9
"""Deviations below this share of the mean are rounding, not anomalies."""

_SLOTS = HOURS + 1
_NEVER = -1
_LATEST = np.iinfo(np.int32).max


def make() -> "ThreeSigma":
    """A detector that knows nothing yet."""
    return ThreeSigma()


class ThreeSigma:
    """The baselines of all sensors; grows with `reserve`, moves with `observe`.

    Not safe for use by two batches at once: whoever owns it lets one batch through at a time and
    builds it anew if that batch was not stored. `oldest_moved` is the oldest hour that readings
    were taken into since `settled` was called.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.oldest_moved = _LATEST
        self._hour = np.full((0, _SLOTS), _NEVER, dtype=np.int32)
        self._count = np.zeros((0, _SLOTS))
        self._mean = np.zeros((0, _SLOTS))
        self._squares = np.zeros((0, _SLOTS))
        self._baseline_hour = np.full(0, _NEVER, dtype=np.int32)
        self._baseline = np.zeros((0, 3))

    def settled(self) -> None:
        """Say that the sums have been written down."""
        self.oldest_moved = _LATEST

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""
        missing = sensors - len(self._hour)
        if missing <= 0:
            return
        missing = max(missing, len(self._hour))
        empty = np.full((missing, _SLOTS), _NEVER, dtype=np.int32)
        zeros = np.zeros((missing, _SLOTS))
        self._hour = np.concatenate([self._hour, empty])
        self._count = np.concatenate([self._count, zeros])
        self._mean = np.concatenate([self._mean, zeros])
        self._squares = np.concatenate([self._squares, zeros])
        self._baseline_hour = np.concatenate(
            [self._baseline_hour, np.full(missing, _NEVER, dtype=np.int32)]
        )
        self._baseline = np.concatenate([self._baseline, np.zeros((missing, 3))])

    def observe(
        self, sensor: Sensors, measured_us: NDArray[np.int64], value: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Score n readings, sorted by sensor and time, and take them into the sums.

        Returns the scores (NaN without a baseline of at least 30 readings; capped at 5) and which
        readings are anomalies. The hours of a batch are taken in order, for a reading's baseline
        ends with the hour before its own.
        """
        score = np.full(len(sensor), np.nan)
        anomaly = np.zeros(len(sensor), dtype=np.bool_)
        hour = (measured_us // HOUR_US).astype(np.int32)
        hours = np.unique(hour)
        for one in hours.tolist():
            rows = slice(None) if len(hours) == 1 else np.flatnonzero(hour == one)
            score[rows], anomaly[rows] = self._score(sensor[rows], one, value[rows])
            self._learn(sensor[rows], one, value[rows])
        return score, anomaly

    def _learn(self, sensor: Sensors, hour: int, value: Floats) -> None:
        usable = np.abs(value) < LARGEST
        if not usable.all():
            sensor, value = sensor[usable], value[usable]
        if len(sensor):
            self.add(*_sums(sensor, hour, value))

    def _score(self, sensor: Sensors, hour: int, value: Floats) -> tuple[Floats, Floats]:
        stale = sensor[self._baseline_hour[sensor] != hour]
        if len(stale):
            self._refresh(np.unique(stale), hour)
        count, mean, deviation = self._baseline[sensor].T
        distance = np.abs(value - mean)
        rounding = RELATIVE_TOLERANCE * np.maximum(1.0, np.abs(mean))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            score = np.where(
                deviation > rounding, np.minimum(distance / deviation, SCORE_MAX), 0.0
            )
        known = count >= READINGS_MIN
        anomaly = known & (distance > SIGMAS * deviation) & (distance > rounding)
        return np.where(known, score, np.nan), anomaly

    def _refresh(self, sensor: Sensors, hour: int) -> None:
        """Merge the 24 hours before `hour` into the baseline of some sensors."""
        hours = self._hour[sensor]
        count = self._count[sensor] * ((hours >= hour - HOURS) & (hours < hour))
        total = count.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (count * self._mean[sensor]).sum(axis=1) / total
            squares = (np.where(count > 0, self._squares[sensor], 0.0)).sum(axis=1)
            squares += (count * (self._mean[sensor] - mean[:, None]) ** 2).sum(axis=1)
            deviation = np.sqrt(squares / (total - 1))
        self._baseline[sensor] = np.nan_to_num(np.stack([total, mean, deviation], axis=1))
        self._baseline_hour[sensor] = hour

    def add(
        self, sensor: Sensors, hour: NDArray[np.int32], count: Floats, mean: Floats, squares: Floats
    ) -> None:
        """Merge sums of some sensors' hours; each (sensor, hour) occurs once."""
        if len(hour):
            self.oldest_moved = min(self.oldest_moved, int(hour.min()))
        slot = hour % _SLOTS
        present = self._hour[sensor, slot] == hour
        newer = self._hour[sensor, slot] < hour
        keep = present | newer
        sensor, slot, present = sensor[keep], slot[keep], present[keep]
        hour, count, mean, squares = hour[keep], count[keep], mean[keep], squares[keep]
        old = np.where(present, self._count[sensor, slot], 0.0)
        old_mean = np.where(present, self._mean[sensor, slot], 0.0)
        old_squares = np.where(present, self._squares[sensor, slot], 0.0)
        total = old + count
        delta = mean - old_mean
        self._hour[sensor, slot] = hour
        self._count[sensor, slot] = total
        self._mean[sensor, slot] = old_mean + delta * (count / total)
        self._squares[sensor, slot] = old_squares + squares + delta**2 * (old * count / total)

    def sums(
        self, since_hour: int
    ) -> tuple[Sensors, NDArray[np.int32], Floats, Floats, Floats]:
        """The sums of all hours from `since_hour` on, in the form that `add` takes."""
        sensor, slot = np.nonzero(self._hour >= max(since_hour, 0))
        at = (sensor, slot)
        return (
            sensor.astype(np.int32),
            self._hour[at],
            self._count[at],
            self._mean[at],
            self._squares[at],
        )


def _sums(
    sensor: Sensors, hour: int, value: Floats
) -> tuple[Sensors, NDArray[np.int32], Floats, Floats, Floats]:
    """Count, mean and squared deviations of each sensor's readings in one hour."""
    first = np.flatnonzero(np.diff(sensor, prepend=-1))
    count = np.diff(first, append=len(sensor)).astype(np.float64)
    mean = np.add.reduceat(value, first) / count
    if len(first) == len(sensor):
        squares = np.zeros(len(sensor))
    else:
        deviation = value - np.repeat(mean, count.astype(np.intp))
        squares = np.add.reduceat(deviation**2, first)
    hours = np.full(len(first), hour, dtype=np.int32)
    return sensor[first], hours, count, mean, squares
