"""Load profiles, one file a kind: how the load moves around its base over time.

A kind is a module with a struct `Settings` (the keys of `load.profile`) that has `legs`.
"""

from typing import NamedTuple, Protocol


class Leg(NamedTuple):
    """A stretch of time over which the load moves in a straight line.

    length_s: how long; infinite for the last one · first, last: multiples of the base load.
    """

    length_s: float
    first: float
    last: float


class Profile(Protocol):
    """What the schedule asks the settings of any profile."""

    def legs(self) -> tuple[Leg, ...]:
        """The load from the profile's begin on; the last leg is endless and level."""
