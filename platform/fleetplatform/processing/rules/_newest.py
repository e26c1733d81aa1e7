"""The newest reading of each sensor."""

import numpy as np

from fleetplatform.processing.rules import Floats, Sensors, Times

NEVER_US = -(1 << 62)
"""Before anything: still a number after a span is taken off it."""


class Newest:
    """t_us, value: by sensor; NEVER_US where there is none."""

    def __init__(self) -> None:
        self.t_us = np.zeros(0, dtype=np.int64)
        self.value = np.zeros(0)

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1, and some to come."""
        missing = sensors - len(self.t_us)
        if missing > 0:
            missing = max(missing, len(self.t_us) // 4)
            self.t_us = np.pad(self.t_us, (0, missing), constant_values=NEVER_US)
            self.value = np.pad(self.value, (0, missing))

    def settle(self, sensor: Sensors, t_us: Times, value: Floats) -> None:
        """Remember these readings, one a sensor."""
        self.t_us[sensor] = t_us
        self.value[sensor] = value
