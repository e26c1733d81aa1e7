"""What was done to the fleet on purpose: intervals that detectors and rules are judged by."""

from typing import NamedTuple


class Interval(NamedTuple):
    """One injected fault of one sensor, from `start_us` until before `end_us` in virtual time.

    `severity` is in the unit of the sensor, 0 where the kind has none.
    """

    kind: str
    device_ordinal: int
    sensor_ordinal: int
    start_us: int
    end_us: int
    severity: float
