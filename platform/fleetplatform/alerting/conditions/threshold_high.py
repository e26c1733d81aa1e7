"""threshold_high: the calibrated value lies above a number."""

import numpy as np
from numpy.typing import NDArray

from fleetplatform.alerting.conditions._number import finite_number as check

__all__ = ["check", "holds"]


def holds(value: NDArray[np.float64], limit: float) -> NDArray[np.bool_]:
    """Which of n calibrated values lie above the limit."""
    return value > limit
