"""Devices that come back after a long time and deliver what they measured meanwhile."""

from dataclasses import dataclass

from fleetsim.draws import Purpose

ORDER_MAX = 1023


@dataclass(frozen=True, slots=True)
class Backlog:
    """A share of the devices delivers readings of the past, oldest first, beside the load.

    at_us, within_us: when they begin to, and how long it takes them (virtual) · since_us, until_us:
    the span in which the readings were measured, before the load begins · interval: seconds between
    two reports of a device in it · order: the place in the timeline, unique in a run.
    """

    at_us: int
    within_us: int
    since_us: int
    until_us: int
    interval: float
    share: float
    order: int

    @property
    def choice_stream(self) -> int:
        """The draws that choose devices."""
        return Purpose.BACKLOG * 1024 + self.order

    def overlaps(self, other: "Backlog") -> bool:
        """Whether both hold readings of the same time, which a device would send twice."""
        return self.since_us < other.until_us and other.since_us < self.until_us

    def measured_us(self, at_us: int) -> int:
        """Until when what has been delivered at a time was measured."""
        passed = min(max(at_us - self.at_us, 0), self.within_us)
        return self.since_us + (self.until_us - self.since_us) * passed // self.within_us
