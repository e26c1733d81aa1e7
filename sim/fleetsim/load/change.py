"""A load and its changes, put together to one course of legs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fleetsim.errors import PlanError
from fleetsim.load.profiles import Leg, Profile

REPORTS_PER_S_MAX = 100_000.0
"""Of one device. Times are whole microseconds, and two reports must not share one."""


@dataclass(frozen=True, slots=True)
class LoadChange:
    """Another load from `at_us` on; what is None stays as it was before.

    rate: readings a second of the whole fleet, or of `organization` (a name; then nothing changes
    for the others) · interval: seconds between two reports of one
    device; a change with either forgets both from before, and rate wins · profile: begins at
    `at_us`.
    """

    at_us: int
    rate: float | None = None
    interval: float | None = None
    profile: Profile | None = None
    organization: str | None = None


def course(
    changes: Sequence[LoadChange], fleet_sensors: int, own_sensors: int = 0
) -> Iterator[Leg]:
    """The reports a second of one device over time, from changes in order of time.

    fleet_sensors, own_sensors: how many share the rate of a change of the whole fleet, and of one
    organization, whose device it then is.

    The first change says all, and its instant is where the course begins. Raises PlanError for a
    load that no device can make.
    """
    base = 0.0
    profile, begin_us = changes[0].profile, changes[0].at_us
    for change, end_us in pairwise([*changes, None]):
        assert change is not None
        if change.rate is not None or change.interval is not None:
            shared = fleet_sensors if change.organization is None else own_sensors
            base = _reports_per_s(change, shared)
        if change.profile is not None:
            profile, begin_us = change.profile, change.at_us
        assert profile is not None
        from_s = (change.at_us - begin_us) / 1e6
        to_s = math.inf if end_us is None else (end_us.at_us - begin_us) / 1e6
        for leg in _window(profile.legs(), from_s, to_s):
            yield _checked(Leg(leg.length_s, leg.first * base, leg.last * base))


def _reports_per_s(change: LoadChange, sensors: int) -> float:
    if change.rate is None:
        assert change.interval is not None
        return 1 / change.interval
    if not sensors:
        raise PlanError("a rate of readings is asked for, but no device of the mix has a sensor")
    return change.rate / sensors


def _window(legs: Sequence[Leg], from_s: float, to_s: float) -> Iterator[Leg]:
    """What of the legs lies between two times."""
    begin_s = 0.0
    for leg in legs:
        end_s = begin_s + leg.length_s
        low_s, high_s = max(begin_s, from_s), min(end_s, to_s)
        if high_s > low_s:
            slope = 0.0 if math.isinf(leg.length_s) else (leg.last - leg.first) / leg.length_s
            first = leg.first + slope * (low_s - begin_s)
            last = leg.last if high_s == end_s else leg.first + slope * (high_s - begin_s)
            yield Leg(high_s - low_s, first, last)
        begin_s = end_s


def _checked(leg: Leg) -> Leg:
    highest = max(leg.first, leg.last)
    if highest > REPORTS_PER_S_MAX:
        raise PlanError(
            f"the load asks for {highest:.12g} reports a second of each device;"
            f" a device makes {REPORTS_PER_S_MAX:.12g} at most"
        )
    return leg
