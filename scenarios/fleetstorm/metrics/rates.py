"""How much was offered and stored a second, over one and the same time: that of the load."""

from collections.abc import Sequence
from typing import NamedTuple

from fleetplatform.wire.clock import ClockLaw

_ANSWER_S = 0.25
"""How late (wall time) a sample may come because the fleet had to be asked for it."""

Rates = tuple[float | None, float | None]


class Mark(NamedTuple):
    """Where the fleet stood at a sample, and what was emitted and acknowledged until then."""

    wall_us: int
    virtual_us: int
    emitted: int
    acknowledged: int


def rates(marks: Sequence[Mark], law: ClockLaw) -> Rates:
    """Readings offered and stored a second of the load; None where nothing can be said.

    The time of both is the load's own, by the law of the clock: from its first instant to its last,
    without the draining after it. If the fleet came to the end later than it takes to ask for a
    sample, the load did take longer, and that time counts.

    Offered is everything emitted, over that time. Readings leave up to one report after they are
    measured, so at the end of the load some of the last report may still be to be emitted and come
    with the sample of the draining. Stored is therefore what was acknowledged by the end of the
    load, over the part of the time whose readings had been emitted by then. Nothing that is stored
    while draining counts: a platform that lags behind cannot catch up there, and stored is never
    above offered. What is under way at the end counts against the platform: at most a report and
    an answer, with 200 ms and 100 ms half a percent of a minute, but much of a second.

    At speed max there is no law; both are then counted from the first sample to the last.
    """
    load = [mark for i, mark in enumerate(marks) if not i or mark.virtual_us > marks[i - 1][1]]
    if not load or not load[-1].emitted:
        return None, None
    first, end, last = load[0], load[-1], marks[-1]
    if law.speed <= 0:
        return _between(first, end)
    seconds = _seconds(end, law)
    if seconds <= 0:
        return None, None
    offered = last.emitted / seconds
    return offered, offered * end.acknowledged / end.emitted


def _seconds(end: Mark, law: ClockLaw) -> float:
    """Wall time of the load: as planned if the fleet kept to it, else as it was."""
    planned_s = (end.virtual_us - law.virtual_anchor_us) / law.speed / 1e6
    took_s = (end.wall_us - law.wall_anchor_us) / 1e6
    return planned_s if took_s - planned_s <= _ANSWER_S else took_s


def _between(first: Mark, end: Mark) -> Rates:
    seconds = (end.wall_us - first.wall_us) / 1e6
    if seconds <= 0:
        return None, None
    return (
        (end.emitted - first.emitted) / seconds,
        (end.acknowledged - first.acknowledged) / seconds,
    )
