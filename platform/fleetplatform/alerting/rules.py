"""Rules are checked when they are saved, so that none can fail on a reading."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from fleetconf import kinds


def find_conditions() -> dict[str, ModuleType]:
    """The conditions that exist, by the key under which a rule names them."""
    return kinds.find("fleetplatform.alerting.conditions")


def check(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions as they will be used; raises ValueError with one sentence."""
    known = find_conditions()
    if not conditions:
        raise ValueError(f"a rule needs at least one condition: {', '.join(sorted(known))}")
    checked = {}
    for key, limit in conditions.items():
        if key not in known:
            raise ValueError(f"{key}: unknown condition; known are {', '.join(sorted(known))}")
        try:
            checked[key] = known[key].check(limit)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    return checked
