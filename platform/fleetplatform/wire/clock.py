"""The law of the platform's clock: virtual time as a function of the wall clock."""

import time

import msgspec


class ClockLaw(msgspec.Struct, frozen=True):
    """virtual = virtual_anchor + speed × (wall − wall_anchor); both in µs since 1970, UTC."""

    virtual_anchor_us: int
    wall_anchor_us: int
    speed: float

    def virtual_us(self, wall_us: int) -> int:
        """Virtual time at a time of the wall clock."""
        return self.virtual_anchor_us + round(self.speed * (wall_us - self.wall_anchor_us))

    def wall_us(self, virtual_us: int) -> int:
        """Time of the wall clock at a virtual time; needs a speed above zero."""
        return self.wall_anchor_us + round((virtual_us - self.virtual_anchor_us) / self.speed)

    def now_us(self) -> int:
        """Virtual time now."""
        return self.virtual_us(wall_now_us())


REAL_TIME = ClockLaw(virtual_anchor_us=0, wall_anchor_us=0, speed=1.0)
"""Virtual time is the wall clock."""


def wall_now_us() -> int:
    """The wall clock in µs since 1970, UTC."""
    return time.time_ns() // 1000
