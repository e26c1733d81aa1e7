"""threshold_low: the calibrated value lies below a number."""

import numpy as np
from numpy.typing import NDArray

from fleetplatform.alerting.conditions._number import finite_number as check

__all__ = ["check", "holds"]


def holds(value: NDArray[np.float64], limit: float) -> NDArray[np.bool_]:
    """Which of n calibrated values lie below the limit."""
    return value < limit
