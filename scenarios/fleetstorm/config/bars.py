"""The key `bars`: a metric's dotted name and what it must be, written as one key or as a tree."""

from collections.abc import Iterator, Mapping
from typing import Any

from fleetconf.convert import convert_at
from fleetconf.errors import ConfigError
from fleetconf.place import Place, show
from fleetstorm.errors import UsageError
from fleetstorm.verdict import Bar, check_bars

_COMPARISONS = {"min", "max", "equals"}


def read_bars(value: Any, place: Place) -> dict[str, Bar]:
    """The bars by the name of their metric; raises ConfigError.

    `verification.lost: {max: 0}` in a file and `bars.verification.lost.max=0` as an override mean
    the same bar; where both are given, the later one's comparisons win. A bare number is in the
    unit that the metric's name ends with or `list metrics` shows; a share is written in percent.
    """
    if not isinstance(value, Mapping):
        raise place.error(f"{show(value)} is not a mapping of metrics to what they must be")
    bars: dict[str, dict[str, Any]] = {}
    for name, written in _leaves(value, "", place):
        bars[name] = {**bars.get(name, {}), **written}
    read = {name: convert_at(bar, Bar, place.key(name)) for name, bar in bars.items()}
    for name, bar in read.items():
        try:
            check_bars({name: bar})
        except UsageError as error:
            raise _told_at(place.key(name), name, str(error)) from None
    return read


def _told_at(place: Place, name: str, said: str) -> ConfigError:
    """The error at the key that it is about, which its words name once more."""
    key, _, message = said.removeprefix("bars: ").partition(": ")
    comparison = key.removeprefix(f"bars.{name}").removeprefix(".")
    if not key.startswith(f"bars.{name}"):
        return place.error(said.removeprefix("bars: "))
    return (place.key(comparison) if comparison else place).error(message)


def _leaves(tree: Any, name: str, place: Place) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping without mappings in it, with its dotted name."""
    if not isinstance(tree, Mapping):
        raise place.key(name).error(f"{show(tree)} is no bar; write {{max: {show(tree)}}}")
    flat = not any(isinstance(value, Mapping) for value in tree.values())
    if flat and name and (_COMPARISONS & set(tree) or "." in name):
        yield name, tree
        return
    for key, value in tree.items():
        yield from _leaves(value, f"{name}.{key}" if name else str(key), place)
