"""The registry of metrics: every number of the summary by name, with its unit and better way.

A metric's name is its dotted path in the summary. Bars, comparisons and conditions take their
names from here; the registry itself is read from the summary's types. What the summary has a
place for and nothing measures yet is no metric.
"""

import difflib
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from fleetstorm.errors import UsageError
from fleetstorm.results.part import Better
from fleetstorm.results.summary import Summary

_NOT_YET = (
    "latency_ms.notification.",
    "latency_ms.command.",
    "verification.commands.",
    "verification.rollout.",
    "verification.notifications.",
)
"""Places of the summary that no run can fill yet."""


@dataclass(frozen=True)
class Metric:
    """A number of the summary.

    `name` is its path; with a "*" in it, it is a family: one number for each cause, code or part.
    `unit` is a word such as ms, bytes, share or readings/s.
    """

    name: str
    unit: str
    better: Better | None
    description: str


@cache
def metrics() -> dict[str, Metric]:
    """Every metric that a run can measure by name, in the order of the summary."""
    found = _walk(Summary, "")
    return {metric.name: metric for metric in found if not metric.name.startswith(_NOT_YET)}


def find(name: str) -> Metric:
    """The metric of that name; UsageError if nothing measures it, with the nearest one if any."""
    if name.startswith(_NOT_YET):
        raise UsageError(f"nothing measures {name} yet; `fleetstorm list metrics` shows what is")
    known = metrics()
    if name in known and "*" not in name:
        return known[name]
    family = next((metric for metric in known.values() if _fits(name, metric.name)), None)
    if family:
        return replace(family, name=name)
    near = next(iter(difflib.get_close_matches(name, list(known), 1)), None)
    hint = f"; did you mean {near}?" if near else "; `fleetstorm list metrics` shows all there are"
    raise UsageError(f"there is no metric {name}{hint}")


def value_of(summary: Summary, name: str) -> float | bool | str | None:
    """What a run measured of a metric; None if it did not exercise it."""
    found: Any = summary
    for key in name.split("."):
        if isinstance(found, dict):
            found = found.get(key)
        elif found is not None:
            found = getattr(found, key, None)
    return found if isinstance(found, bool | int | float | str) else None


def _fits(name: str, family: str) -> bool:
    """Whether a name is a member of a family such as resources.cpu_s.*."""
    parts, pattern = name.split("."), family.split(".")
    pairs = list(zip(parts, pattern, strict=False))
    fits = all(part not in ("", "*") and expected in (part, "*") for part, expected in pairs)
    return fits and len(parts) == len(pattern)


def _walk(struct: type[msgspec.Struct], prefix: str) -> Iterator[Metric]:
    for name, hint in get_type_hints(struct, include_extras=True).items():
        if not name.startswith("_"):
            yield from _walk_field(hint, prefix + name)


def _walk_field(hint: Any, name: str, marker: msgspec.Meta | None = None) -> Iterator[Metric]:
    """The metrics of one field: those of the structs in it, or the one it is marked with."""
    hint, markers = _unwrap(hint)
    marker = next((m for m in markers if m.extra and "metric" in m.extra), marker)
    for member in _members(hint):
        if isinstance(member, type) and issubclass(member, msgspec.Struct):
            yield from _walk(member, f"{name}.")
        elif get_origin(member) is dict:
            yield from _walk_field(get_args(member)[1], f"{name}.*", marker)
        elif marker and marker.extra and member is not type(None):
            measured = marker.extra["metric"]
            yield Metric(name, measured["unit"], measured["better"], marker.description or "")


def _members(hint: Any) -> list[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        return [inner for inner in get_args(hint) if inner is not type(None)]
    return [hint]


def _unwrap(hint: Any) -> tuple[Any, list[msgspec.Meta]]:
    if get_origin(hint) is Annotated:
        inner, *markers = get_args(hint)
        return inner, [marker for marker in markers if isinstance(marker, msgspec.Meta)]
    return hint, []
