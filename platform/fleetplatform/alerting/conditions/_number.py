"""The limit of a threshold."""

import math
from typing import Any


def finite_number(limit: Any) -> float:
    """The limit as a float; raises ValueError for anything that is not a finite number."""
    try:
        number = math.nan if isinstance(limit, bool | str) else float(limit)
    except (TypeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{limit!r:.40} is not a finite number")
    return number
