"""The rule of a dynamic group: which rules there can be.

A rule is an object with one or more conditions, which must all hold; iot_private.rule_condition
says what each means. Of `type`, `status`, `hardware_revision` and `firmware` one of the given words
is enough, `tags` must all be there, `place` is where the device is, in a circle or a box, and
`all`, `any` and `not` combine rules.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, get_args

from fleetplatform.errors import InvalidError
from fleetplatform.wire.resources.devices import DeviceStatus

DEPTH_MAX = 8
CONDITIONS_MAX = 100
WORDS_MAX = 100
WORD_MAX = 200
MISTAKES_MAX = 20

STATUSES = get_args(DeviceStatus)
VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,4}")
BOUNDS = ("below", "at_least")
LATITUDES, LONGITUDES, RADII_M = (-90.0, 90.0), (-180.0, 180.0), (0.001, 2e7)
AREAS: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "circle": {"latitude": LATITUDES, "longitude": LONGITUDES, "radius_m": RADII_M},
        "box": {"south": LATITUDES, "west": LONGITUDES, "north": LATITUDES, "east": LONGITUDES},
    }
)

Mistakes = Iterator[str]


def check(rule: Any) -> None:
    """Raise InvalidError (invalid_rule) with a sentence for each mistake, its path first."""
    found = list(_mistakes(rule, "rule", 1))
    if not found and _conditions(rule) > CONDITIONS_MAX:
        found = [f"rule: it may have {CONDITIONS_MAX} conditions in all, not {_conditions(rule)}"]
    if found:
        more = len(found) - MISTAKES_MAX
        rest = [f"and {more} more mistakes"] if more > 0 else []
        raise InvalidError("; ".join([*found[:MISTAKES_MAX], *rest]), code="invalid_rule")


def _conditions(rule: Mapping[str, Any]) -> int:
    """How many conditions a rule without mistakes has, those that combine others included."""
    inner = [*rule.get("all", ()), *rule.get("any", ()), *([rule["not"]] if "not" in rule else ())]
    return len(rule) + sum(_conditions(one) for one in inner)


def _mistakes(rule: Any, path: str, depth: int) -> Mistakes:
    if not isinstance(rule, dict):
        yield f"{path}: write an object with conditions"
    elif not rule:
        yield f"{path}: give at least one condition of {', '.join(KINDS)}"
    elif depth > DEPTH_MAX:
        yield f"{path}: rules may be nested {DEPTH_MAX} deep at most"
    else:
        for key, said in rule.items():
            where = f"{path}.{key[:WORD_MAX]}"
            if key in KINDS:
                yield from KINDS[key](said, where, depth)
            else:
                yield f"{where}: there is no such condition, only {', '.join(KINDS)}"


def _rules(said: Any, path: str, depth: int) -> Mistakes:
    if not isinstance(said, list) or not 1 <= len(said) <= CONDITIONS_MAX:
        yield f"{path}: write a list of 1 to {CONDITIONS_MAX} rules"
        return
    for at, one in enumerate(said):
        yield from _mistakes(one, f"{path}[{at}]", depth + 1)


def _rule(said: Any, path: str, depth: int) -> Mistakes:
    yield from _mistakes(said, path, depth + 1)


def _words(said: Any, path: str, depth: int = 0) -> Mistakes:
    words = [said] if isinstance(said, str) else said
    if not isinstance(words, list) or not 1 <= len(words) <= WORDS_MAX:
        yield f"{path}: write a text or a list of 1 to {WORDS_MAX} texts"
    elif not all(isinstance(one, str) and _is_word(one) for one in words):
        yield f"{path}: a text here has 1 to {WORD_MAX} characters, and no NUL"


def _is_word(text: str) -> bool:
    return 1 <= len(text) <= WORD_MAX and "\0" not in text


def _statuses(said: Any, path: str, depth: int) -> Mistakes:
    wrong = list(_words(said, path))
    if wrong:
        yield from wrong
        return
    words = [said] if isinstance(said, str) else said
    for one in words:
        if one not in STATUSES:
            yield f"{path}: {one!r} is not one of {', '.join(STATUSES)}"


def _prefix(said: Any, path: str, depth: int) -> Mistakes:
    if not isinstance(said, str) or not _is_word(said):
        yield f"{path}: write a text of 1 to {WORD_MAX} characters"


def _firmware(said: Any, path: str, depth: int) -> Mistakes:
    if not isinstance(said, dict):
        yield from _words(said, path)
        return
    if not said or not said.keys() <= set(BOUNDS):
        yield f"{path}: write a version, a list of versions, or below and at_least with a version"
        return
    for bound, version in said.items():
        if not isinstance(version, str) or not VERSION.fullmatch(version):
            yield f"{path}.{bound}: write a version of up to five numbers, such as 2.1.0"


def _place(said: Any, path: str, depth: int) -> Mistakes:
    if not isinstance(said, dict) or len(said) != 1 or not said.keys() <= AREAS.keys():
        yield f"{path}: write a circle or a box"
        return
    ((kind, area),) = said.items()
    limits = AREAS[kind]
    if not isinstance(area, dict) or area.keys() != limits.keys():
        yield f"{path}.{kind}: give {', '.join(limits)}, and nothing else"
        return
    wrong = [key for key, limit in limits.items() if not _is_within(area[key], *limit)]
    for key in wrong:
        low, high = limits[key]
        yield f"{path}.{kind}.{key}: write a number from {low:g} to {high:g}"
    if not wrong and kind == "box" and area["south"] > area["north"]:
        yield f"{path}.box.south: it is north of the box's north"


def _is_within(said: Any, low: float, high: float) -> bool:
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    return is_number and low <= said <= high


KINDS: Mapping[str, Callable[[Any, str, int], Mistakes]] = MappingProxyType(
    {
        "type": _words,
        "status": _statuses,
        "tags": _words,
        "firmware": _firmware,
        "hardware_revision": _words,
        "serial_prefix": _prefix,
        "place": _place,
        "all": _rules,
        "any": _rules,
        "not": _rule,
    }
)
