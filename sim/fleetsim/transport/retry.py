"""When a refused or unanswered request is tried again."""

import numpy as np

from fleetconf.units import Duration, Share
from fleetsim.draws import Purpose, uniform
from fleetsim.settings import Settings

_DRAWS_PER_BLOCK = 1024


class RetrySettings(Settings, frozen=True, kw_only=True):
    """Exponential back-off: `initial` doubles up to `max`; `jitter` spreads each pause by ±."""

    initial: Duration
    max: Duration
    jitter: Share


class Backoff:
    """Pauses between attempts, spread by draws of the run's seed.

    Draws are made by the block, for one at a time would cost more than the request.
    """

    def __init__(self, settings: RetrySettings, *, seed: int, shard: int) -> None:
        self._settings = settings
        self._seed = seed
        self._shard = np.array([shard], dtype=np.int64)
        self._used = 0
        self._block: list[float] = []

    def pause_s(self, attempt: int, retry_after_s: float | None = None) -> float:
        """The pause after failed attempt number `attempt` (from 0), in seconds.

        At least `retry_after_s`, where the backend asked for it; the jitter then only lengthens
        the pause, so that a fleet told the same does not come back as one.
        """
        settings = self._settings
        spread = self._draw()
        doubled = settings.initial * 2.0 ** min(attempt, 60)
        pause_s = min(doubled, settings.max) * (1 + settings.jitter * (2 * spread - 1))
        if retry_after_s is None:
            return pause_s
        return max(pause_s, retry_after_s * (1 + settings.jitter * spread))

    def _draw(self) -> float:
        position = self._used % _DRAWS_PER_BLOCK
        if position == 0:
            ticks = np.arange(self._used, self._used + _DRAWS_PER_BLOCK, dtype=np.int64)
            stream = Purpose.RETRY * 1024
            self._block = uniform(self._seed, stream, self._shard, ticks).tolist()
        self._used += 1
        return self._block[position]
