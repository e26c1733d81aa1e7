"""Alert rules as a scenario has them: conditions that the oracle can judge, and the rest of a rule.

The oracle's meanings are asked, not the platform: it would refuse a rule only once it runs.
"""

import sys
from collections.abc import Iterable, Iterator

from fleetconf.place import nearest, show
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetsim.oracle.conditions import MEANINGS

SEVERITIES = ("info", "warning", "critical")
"""As the platform's table has them."""

Problem = tuple[str, str]
"""The dotted key, and what is wrong with it."""


def check_rules(
    rules: Iterable[NewAlertRule], device_types: Iterable[str], sensor_types: Iterable[str]
) -> Iterator[Problem]:
    """Everything in the rules that no platform would take."""
    device_types, sensor_types = list(device_types), list(sensor_types)
    names: set[str] = set()
    for index, rule in enumerate(rules):
        path = f"prepare.alert_rules[{index}]"
        if rule.name in names:
            yield f"{path}.name", f'there are two rules named "{rule.name}"; rename one'
        names.add(rule.name)
        yield from _conditions(rule, f"{path}.conditions")
        yield from known(f"{path}.severity", rule.severity, SEVERITIES, "severity")
        if rule.device_type is not None:
            yield from known(f"{path}.device_type", rule.device_type, device_types, "device type")
        if rule.sensor_type is not None:
            yield from known(f"{path}.sensor_type", rule.sensor_type, sensor_types, "sensor type")


def known(path: str, name: str, names: Iterable[str], what: str) -> Iterator[Problem]:
    """A problem, with the nearest name, if the name is none of the names."""
    there = sorted(names)
    if name not in there:
        near = nearest(name, there)
        hint = f"did you mean {near}? there" if near else "there"
        yield path, f"there is no {what} {name}; {hint} are {', '.join(there)}"


def _conditions(rule: NewAlertRule, path: str) -> Iterator[Problem]:
    if not rule.conditions:
        yield path, f"the rule has no condition; give it one of {', '.join(sorted(MEANINGS))}"
    for name, limit in rule.conditions.items():
        if name not in MEANINGS:
            yield from known(f"{path}.{name}", name, MEANINGS, "condition")
        elif isinstance(limit, bool) or not isinstance(limit, int | float):
            yield f"{path}.{name}", f"{show(limit)} is not a number; write a limit such as 30.5"
        elif not abs(limit) <= sys.float_info.max:
            yield f"{path}.{name}", f"{show(limit)} is not a finite number"
