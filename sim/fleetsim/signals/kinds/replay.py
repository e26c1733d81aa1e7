"""replay: what a recording says, over and over or once."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fleetconf.units import Duration
from fleetsim.draws import Purpose, uniform
from fleetsim.settings import Settings as BaseSettings
from fleetsim.signals.kinds import Floats, Group, Ints
from fleetsim.signals.recording import Recording, read_recording

_PLACE = Purpose.RECORDING * 1024


class Settings(BaseSettings, frozen=True, kw_only=True):
    """path: a CSV with the columns time and value · repeat: begin again at its end, else the last
    value stays · spread: each sensor begins at a place of its own, so far into the recording at
    most.
    """

    path: str
    repeat: bool
    spread: Duration

    @staticmethod
    def build(group: Group) -> "Replay":
        """The sensors that repeat what was recorded; raises RecordingError."""
        return Replay(group)


class Replay:
    """Each sensor's recording, linear between its points, from the begin of the load."""

    def __init__(self, group: Group) -> None:
        found: dict[str, int] = {}
        of_model = [found.setdefault(s.path, len(found)) for s in group.settings]
        self._recordings = [read_recording(Path(path)) for path in found]
        self._recording = np.array(of_model, dtype=np.int32)[group.model]
        self._repeat = group.column(lambda s: s.repeat) > 0
        spread = group.column(lambda s: s.spread)
        place = uniform(group.seed, _PLACE, group.draw_id, 0)
        self._begin_us = group.start_us - np.rint(place * spread * 1e6).astype(np.int64)

    def values(self, at: NDArray[np.intp], tick: Ints, t_us: Ints) -> Floats:
        """The values of n readings."""
        since_us, repeat = t_us - self._begin_us[at], self._repeat[at]
        if len(self._recordings) == 1:
            return _play(self._recordings[0], since_us, repeat)
        value, recording = np.empty(len(at)), self._recording[at]
        for index, entry in enumerate(self._recordings):
            rows = np.flatnonzero(recording == index)
            value[rows] = _play(entry, since_us[rows], repeat[rows])
        return value


def _play(recording: Recording, since_us: Ints, repeat: NDArray[np.bool_]) -> Floats:
    """The recording's values at times since its begin."""
    length_us = recording.length_us
    within_us = np.where(repeat, since_us % length_us, np.minimum(since_us, length_us))
    return recording.at(within_us)
