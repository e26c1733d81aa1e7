"""Anomaly detectors, one file each: a score for each reading from the sensor's own past.

A kind is a module with `make()`, which gives a `Detector` that knows nothing yet. How its state is
written down and read back is a file of the same name in `fleetplatform.ingest.keepers`, for here
is no I/O.

A score above 3 is an anomaly, 5 is the most there is, and NaN stands for a reading that nothing
can be said about yet. Readings that came late and those of sensitive sensors are kept from every
detector.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Sensors = NDArray[np.int32]


class Detector(Protocol):
    """What all sensors' readings were like: grows with `reserve`, moves with `observe`.

    Not safe for use by two batches at once: whoever owns it lets one batch through at a time and
    builds it anew if that batch was not stored.
    """

    def clear(self) -> None:
        """Forget everything."""

    def reserve(self, sensors: int) -> None:
        """Make room for sensors 0 … sensors − 1."""

    def observe(
        self, sensor: Sensors, measured_us: NDArray[np.int64], value: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Score n readings, sorted by sensor and time, and learn from them.

        Gives the scores and which readings are anomalies. How readings are cut into batches makes
        no difference, as long as those of one sensor come in order of time.
        """
        ...
