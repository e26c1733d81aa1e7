"""The limit of a threshold."""

import math
from typing import Any


def finite_number(limit: Any) -> float:
    """The limit as a float; raises ValueError for anything that is not a finite number."""
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit):
        raise ValueError(f"{limit!r} is not a finite number")
    return float(limit)
