"""One micro-batch as columns, from admission to the partition."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Rows:
    """Readings about to be stored; all arrays have one length and one order.

    sensor: int32, index in the directory · *_high, *_low: uint64 halves of a UUID ·
    sensor_type: int16, code of the catalogue · measured_us: int64 µs since 1970 ·
    value: float64, calibrated · raw: float64 as it arrived, NaN where `value` is what arrived ·
    quality: int16 bits · is_anomaly: bool · score: float64, NaN where there is none ·
    metadata: object array of JSON text or None; None where no reading has any ·
    received_us: one virtual time for the whole batch.
    """

    sensor: NDArray[np.int32]
    sensor_high: NDArray[np.uint64]
    sensor_low: NDArray[np.uint64]
    device_high: NDArray[np.uint64]
    device_low: NDArray[np.uint64]
    organization_high: NDArray[np.uint64]
    organization_low: NDArray[np.uint64]
    sensor_type: NDArray[np.int16]
    measured_us: NDArray[np.int64]
    value: NDArray[np.float64]
    raw: NDArray[np.float64]
    quality: NDArray[np.int16]
    is_anomaly: NDArray[np.bool_]
    score: NDArray[np.float64]
    metadata: NDArray[np.object_] | None
    received_us: int

    def __len__(self) -> int:
        return len(self.sensor)

    def take(self, selection: NDArray[np.bool_] | NDArray[np.intp]) -> "Rows":
        """The readings of a mask or of positions, in that order."""
        columns: dict[str, Any] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            columns[field.name] = column[selection] if isinstance(column, np.ndarray) else column
        return Rows(**columns)
