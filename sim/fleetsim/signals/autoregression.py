"""AR(1) noise that can be had for any tick alone."""

import numpy as np
from numpy.typing import NDArray

from fleetsim.draws import normal

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RESTART_BITS = 10
RESTART_TICKS = 1 << _RESTART_BITS
"""The recursion begins anew, from a draw of its stationary distribution, so often."""
_STEPS_AT_ONCE = 1 << 18


class Autoregression:
    """Unit AR(1) noise of m sensors: y[k] = φ·y[k-1] + √(1 - φ²)·e[k], and y[k] = e[k] at every
    tick that is a multiple of RESTART_TICKS; e is standard normal, drawn for (sensor, tick).

    The newest state of each sensor is kept, so that the next tick costs one step; any other tick
    is reached from its last restart, by the same operations and so with the same bits.
    """

    def __init__(self, seed: int, stream: int, draw_id: Ints, correlation: Floats) -> None:
        self._seed = seed
        self._stream = stream
        self._draw_id = draw_id
        self._correlation = correlation
        self._innovation = np.sqrt(1 - correlation * correlation)
        self._tick = np.full(len(draw_id), -1, dtype=np.int64)
        self._state = np.zeros(len(draw_id))

    def values(self, at: NDArray[np.intp], tick: Ints) -> Floats:
        """The noise of n readings of sensors `at`; cheapest sorted by sensor, then by tick."""
        if not len(at):
            return np.zeros(0)
        step = np.diff(at)
        if not ((step > 0) | ((step == 0) & (np.diff(tick) >= 0))).all():
            order = np.lexsort((tick, at))
            value = np.empty(len(at))
            value[order] = self.values(at[order], tick[order])
            return value
        return self._sorted(at, tick)

    def _sorted(self, at: NDArray[np.intp], tick: Ints) -> Floats:
        """Readings in order, cut into runs of one sensor between two restarts."""
        begins = np.empty(len(at), dtype=np.bool_)
        begins[0] = True
        np.not_equal(at[1:], at[:-1], out=begins[1:])
        if not begins.all():
            restart = tick >> _RESTART_BITS
            begins[1:] |= restart[1:] != restart[:-1]
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(at)) - 1
        sensor = at[first]
        base = self._bases(sensor, tick[first])
        steps = tick[last] - base
        if len(first) > 1 and int(steps.sum()) > _STEPS_AT_ONCE:
            middle = first[len(first) // 2]
            parts = (slice(None, middle), slice(middle, None))
            return np.concatenate([self._sorted(at[part], tick[part]) for part in parts])
        level = tick - np.repeat(base, np.diff(np.append(first, len(at))))
        return self._walk(sensor, base, steps, level, np.cumsum(begins) - 1)

    def _bases(self, sensor: NDArray[np.intp], first: Ints) -> Ints:
        """The tick from which each run is walked: the one kept, or the one before its restart."""
        restart = first & ~(RESTART_TICKS - 1)
        kept = self._tick[sensor]
        return np.where((kept >= restart) & (kept < first), kept, restart - 1)

    def _walk(
        self, sensor: NDArray[np.intp], base: Ints, steps: Ints, level: Ints, run: NDArray[np.intp]
    ) -> Floats:
        """Go `steps` from the base of each run; the values at (run, level) for each reading.

        All runs take a step together, the longest first, so that those still going are a prefix.
        """
        restarts = (base + 1) & (RESTART_TICKS - 1) == 0
        state = np.where(restarts, 0.0, self._state[sensor])
        longest = int(steps.max())
        if longest == 1:
            scale = np.where(restarts, 1.0, self._innovation[sensor])
            state = self._correlation[sensor] * state + scale * self._draw(sensor, base + 1)
            self._tick[sensor], self._state[sensor] = base + 1, state
            return state[run] if len(run) != len(state) else state
        order = np.argsort(-steps, kind="stable")
        sensor, base, steps = sensor[order], base[order], steps[order]
        going = np.searchsorted(-steps, -np.arange(1, longest + 1), side="right")
        begin = np.cumsum(going) - going
        member = np.arange(int(going.sum())) - np.repeat(begin, going)
        walked = self._draw(sensor[member], base[member] + np.repeat(np.arange(longest) + 1, going))
        scale = self._innovation[sensor[member]]
        scale[: len(sensor)][restarts[order]] = 1.0
        walked *= scale
        self._recur(walked, state[order], self._correlation[sensor], going)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        self._keep_last(sensor, base + steps, walked[begin[steps - 1] + np.arange(len(order))])
        value: Floats = walked[begin[level - 1] + rank[run]]
        return value

    def _recur(
        self, walked: Floats, state: Floats, correlation: Floats, going: NDArray[np.intp]
    ) -> None:
        """Turn innovations, step by step, into states; in each step the first `going` runs."""
        start = 0
        for count in going.tolist():
            now = walked[start : start + count]
            now += correlation[:count] * state[:count]
            state, start = now, start + count

    def _draw(self, sensor: NDArray[np.intp], tick: Ints) -> Floats:
        return normal(self._seed, self._stream, self._draw_id[sensor], tick)

    def _keep_last(self, sensor: NDArray[np.intp], tick: Ints, state: Floats) -> None:
        """Of several runs of a sensor, any may be kept; but tick and state of the same one."""
        _, last = np.unique(sensor, return_index=True)
        self._tick[sensor[last]], self._state[sensor[last]] = tick[last], state[last]
