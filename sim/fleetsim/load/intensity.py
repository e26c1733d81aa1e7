"""How many reports a device has made by a time, and the other way round."""

import math
from bisect import bisect_right
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fleetsim.load.profiles import Leg

Floats = NDArray[np.float64]


class Intensity:
    """The reports due since the load began, as a curve of joined lines and parabolas.

    Made of legs whose `first` and `last` are reports a second of one device. The curve never
    falls; where the load is zero it is level.
    """

    def __init__(self, legs: Iterable[Leg]) -> None:
        starts, counts, rates, slopes = [], [], [], []
        start_s = count = 0.0
        for length_s, first, last in legs:
            if length_s <= 0:
                continue
            starts.append(start_s)
            counts.append(count)
            rates.append(first)
            slopes.append(0.0 if math.isinf(length_s) else (last - first) / length_s)
            start_s += length_s
            if not math.isinf(length_s):
                count += (first + last) / 2 * length_s
        self._starts, self._rates, self._slopes = starts, rates, slopes
        self._counts = np.array(counts)
        self._start_s = np.array(starts)
        self._rate = np.array(rates)
        self._slope = np.array(slopes)
        self._is_curved = any(slopes) or 0.0 in rates

    def count_at(self, time_s: float) -> float:
        """How many reports are due until a time, as a real number."""
        if time_s <= 0:
            return 0.0
        leg = bisect_right(self._starts, time_s) - 1
        since_s = time_s - self._starts[leg]
        height = (self._rates[leg] + self._slopes[leg] * since_s / 2) * since_s
        return float(self._counts[leg]) + height

    def times_of(self, count: Floats) -> Floats:
        """When these many reports are reached, in seconds; infinite where that never happens."""
        if len(self._counts) == 1 and not self._is_curved:
            straight: Floats = count / self._rate[0]
            return straight
        leg = np.searchsorted(self._counts, count, side="right") - 1
        above = count - self._counts[leg]
        since_s = self._solve(leg, above) if self._is_curved else above / self._rate[leg]
        time_s: Floats = self._start_s[leg] + since_s
        return time_s

    def _solve(self, leg: NDArray[np.intp], above: Floats) -> Floats:
        """The root of rate·t + slope·t²/2 = above, in the form that survives a slope of zero."""
        rate, slope = self._rate[leg], self._slope[leg]
        root = np.sqrt(np.maximum(rate * rate + 2 * slope * above, 0.0))
        divisor = rate + root
        still = divisor == 0
        if still.any():
            # At the foot of a ramp from zero the time is now, on a level of zero it never comes.
            at_rest = np.where(slope > 0, 0.0, np.inf)
            return np.where(still, at_rest, 2 * above / np.where(still, 1.0, divisor))
        since_s: Floats = 2 * above / divisor
        return since_s
