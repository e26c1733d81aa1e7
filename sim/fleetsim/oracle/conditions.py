"""What a condition of an alert rule means."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetsim.errors import PlanError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_Meaning = Callable[[Floats, Any], Bools]

MEANINGS: dict[str, _Meaning] = {
    "threshold_high": lambda value, limit: value > limit,
    "threshold_low": lambda value, limit: value < limit,
}
"""By the key in a rule. The limit itself is no alarm, nor is a value that is not a number."""


def holds(conditions: Mapping[str, Any], value: Floats) -> Bools:
    """For which of n calibrated values all conditions of a rule hold."""
    verdict = np.ones(len(value), dtype=np.bool_)
    for key, limit in conditions.items():
        verdict &= MEANINGS[key](value, limit)
    return verdict


def check(rule_name: str, conditions: Mapping[str, Any]) -> None:
    """Raises PlanError for a rule that the oracle cannot judge."""
    if not conditions:
        raise PlanError(f'alert rule "{rule_name}" has no condition')
    for key in conditions:
        if key not in MEANINGS:
            known = ", ".join(sorted(MEANINGS))
            raise PlanError(
                f'alert rule "{rule_name}": the condition {key} is unknown; there are {known}'
            )
