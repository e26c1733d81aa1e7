"""Which file, or the command line, a key of the composed tree was written in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fleetstorm.errors import UsageError

COMMAND_LINE = "the command line"


class _Loader(yaml.SafeLoader):
    """YAML as Hydra takes it: a key that stands twice in one mapping is a mistake."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises ConstructorError."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                what = f"the key {key.value} stands there twice"
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Source:
    """One contribution to the tree: its label for people, and what it sets, from the root on.

    `key` is the place that an override was written for; empty for a file.
    """

    label: str
    tree: Mapping[str, Any]
    key: str = ""


class Sources:
    """All contributions to a tree, in the order in which they were merged: a later one wins."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = list(sources)

    def where(self, path: str) -> str:
        """The label of the source that wrote the value at a dotted path (or what is above it)."""
        words = _words(path)
        best, label = 0, ""
        for source in self._sources:
            depth = _depth(source.tree, words)
            if depth and depth >= best:
                best, label = depth, source.label
        return label

    def last_keys(self, path: str, head: str | None = None) -> set[str] | None:
        """The keys of the mapping at `path` that the last source to give it whole has, and later.

        Merging adds keys to a mapping; where a mapping is one value, such as the mix of a fleet,
        only these belong to it. With a `head`, only a mapping that has that key is whole. None
        when no source has a mapping there.
        """
        words = path.split(".")
        keys: set[str] | None = None
        for source in self._sources:
            found = _at(source.tree, words)
            if isinstance(found, Mapping):
                adds = source.key.startswith(f"{path}.") or (head is not None and head not in found)
                keys = (keys or set()) | set(found) if adds else set(found)
        return keys


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a tree; raises UsageError, naming file and line, if it cannot be read."""
    try:
        tree = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 (a safe one)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UsageError(f"{label_of(path)}{line} is not YAML: {problem}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{label_of(path)} cannot be read: {error}") from error
    if tree is not None and not isinstance(tree, dict):
        raise UsageError(f"{label_of(path)}: this is no mapping of keys to values")
    return tree or {}


def label_of(path: Path) -> str:
    """The path as a user would type it: relative where it lies below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def below(place: str, value: Any) -> Any:
    """The value, put at a dotted place; an empty one is the root."""
    for word in reversed(place.split(".") if place else []):
        value = {word: value}
    return value


def find(tree: Any, pattern: str) -> Iterator[tuple[str, Any]]:
    """Path and value of every place that a dotted pattern names; a * stands for any one key."""
    word, _, rest = pattern.partition(".")
    if not isinstance(tree, Mapping):
        return
    for key in list(tree) if word == "*" else [word] if word in tree else []:
        if not rest:
            yield str(key), tree[key]
        else:
            yield from ((f"{key}.{path}", value) for path, value in find(tree[key], rest))


def _words(path: str) -> list[str]:
    """The keys and indexes of a path: timeline[0].at → timeline, 0, at."""
    return [word for word in path.replace("[", ".").replace("]", "").split(".") if word]


def _at(tree: Any, words: Sequence[str]) -> Any:
    for word in words:
        if not isinstance(tree, Mapping) or word not in tree:
            return None
        tree = tree[word]
    return tree


def _depth(tree: Any, words: Sequence[str]) -> int:
    """How many of the words the tree has, one below the other; a key may hold dots itself."""
    return max(_depths(tree, words), default=0)


def _depths(tree: Any, words: Sequence[str]) -> Iterator[int]:
    if isinstance(tree, list) and words and words[0].isdigit() and int(words[0]) < len(tree):
        yield 1 + _depth(tree[int(words[0])], words[1:])
    if isinstance(tree, Mapping):
        for length in range(1, len(words) + 1):
            key = ".".join(words[:length])
            if key in tree:
                yield length + _depth(tree[key], words[length:])
