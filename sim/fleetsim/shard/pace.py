"""When a shard reports: slots in virtual time, each with its intended time on the wall clock."""

from typing import NamedTuple

from fleetplatform.wire.clock import ClockLaw


class Slot(NamedTuple):
    """Readings due from `from_us` until before `until_us` (virtual) leave at `intended_us` (wall).

    `interval_us`: the wall time until the next slot, over which senders may be spread.
    """

    from_us: int
    until_us: int
    intended_us: int
    interval_us: int


class Pace:
    """Cuts virtual time into slots, whatever the time is when they are asked for.

    begin → next(limit) … The slots follow the clock law alone: a slot that comes late moves no
    later one. With a stopped clock (speed 0) a slot reaches to the limit and is due at once.
    """

    def __init__(self, start_us: int, report_interval_s: float, law: ClockLaw) -> None:
        self.played_us = start_us
        self.law = law
        self._report_interval_us = max(1, round(report_interval_s * 1e6))

    def next(self, limit_us: int, now_us: int) -> Slot | None:
        """The next slot, at most up to `limit_us`; None when all until there has been played."""
        if self.played_us >= limit_us:
            return None
        speed = self.law.speed
        if speed <= 0:
            slot = Slot(self.played_us, limit_us, now_us, 0)
        else:
            step_us = max(1, round(self._report_interval_us * speed))
            until_us = min(self.played_us + step_us, limit_us)
            interval_us = round((until_us - self.played_us) / speed)
            slot = Slot(self.played_us, until_us, self.law.wall_us(until_us), interval_us)
        self.played_us = slot.until_us
        return slot
