"""Where in a configuration a value stands, and how its fault is told."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fleetconf.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """Where in the tree a value stands; `where` says which file a dotted path was written in."""

    path: str = ""
    where: Callable[[str], str] = field(default=lambda path: "")
    known: frozenset[str] = frozenset()

    def key(self, name: str) -> "Place":
        """The place of a key of the mapping here."""
        return Place(f"{self.path}.{name}" if self.path else name, self.where, self.known)

    def item(self, index: int) -> "Place":
        """The place of an item of the list here."""
        return Place(f"{self.path}[{index}]", self.where, self.known)

    def error(self, message: str) -> ConfigError:
        """The sentence `key in file: message`."""
        file = self.where(self.path)
        start = f"{self.path or 'the configuration'} in {file}" if file else self.path
        return ConfigError(f"{start}: {message}" if start else message)


@dataclass(frozen=True)
class By:
    """Marks a field of its own shape: `read(value, place)` makes it, or raises ConfigError."""

    read: Callable[[Any, Place], Any]


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of the names that a misspelt one most likely meant, or None."""
    return next(iter(difflib.get_close_matches(name, list(names), 1)), None)


def show(value: Any) -> str:
    """A value as YAML would write it, cut to the length of a sentence."""
    if value is None:
        return "null"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text if len(text) < 60 else f"{text[:57]}…"
    return f'"{text}"' if isinstance(value, str) else text
