"""The files that a run is made of, looked at one by one before Hydra merges them.

Hydra says little about a file that it cannot merge. So every file that the words of a run choose,
and those that these extend, is looked at first, and no other: a broken neighbour is not blamed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fleetconf.errors import ConfigError
from fleetconf.place import Place, nearest, show
from fleetconf.shapes import check_shapes
from fleetstorm.config.settings import RunConfig
from fleetstorm.config.sources import label_of, read_yaml
from fleetstorm.errors import UsageError

SCENARIO = "scenario"
_HEAD = re.compile(r"#\s*@package\s+_global_\s*")
_NAME = re.compile(r"[\w.@/-]+")
_ENTRY = re.compile(
    r"(?P<words>(?:(?:override|optional)\s+)*)(?P<slash>/?)(?P<group>[^@]*)(?:@.*)?"
)
_DEPTH_MAX = 20

Choice = tuple[str, str]
"""A group, and the name of a file in it."""


@dataclass(frozen=True)
class Shelf:
    """The folders that the files of groups lie in, the first one first."""

    folders: Sequence[Path]

    def find(self, config_path: str) -> Path | None:
        """The file of a path such as scenario/smoke, if there is one."""
        candidates = [folder / f"{config_path}.yaml" for folder in self.folders]
        return next((path for path in candidates if path.exists()), None)

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups that have a file."""
        return frozenset(f.parent.name for root in self.folders for f in root.glob("*/*.yaml"))

    def names(self, group: str) -> list[str]:
        """The files of a group."""
        files = (f.stem for root in self.folders for f in (root / group).glob("*.yaml"))
        return sorted({name for name in files if _NAME.fullmatch(name)})


def check_chosen(choices: Sequence[Choice], shelf: Shelf) -> None:
    """Look at the files of a run; raises UsageError."""
    for group, name in choices:
        if shelf.find(f"{group}/{name}") is None:
            raise UsageError(f"{group}={name}: {_no_such(group, name, shelf)}")
        _check(group, name, shelf, [])


def check_name(group: str, name: str) -> None:
    """Refuse a name that cannot be chosen on a command line; raises UsageError."""
    if not name:
        raise UsageError(f"{group}=: a name is missing; fleetstorm list {group}s shows which exist")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{group}={name}: the name of such a file is of letters, digits, _, - and . alone;"
            " rename the file"
        )


def check_scenario_file(path: Path) -> dict[str, Any]:
    """The tree of a scenario's file; raises UsageError for one that can be no scenario."""
    tree = read_yaml(path)
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    head = []
    for line in filter(None, lines):
        if not line.startswith("#"):
            break
        head.append(line)
    if not any(_HEAD.fullmatch(line) for line in head):
        what = "it does not" if any(lines) else "it is empty"
        raise UsageError(
            f"{label_of(path)}: the file of a scenario must begin with the line"
            f" `# @package _global_`, and {what}"
        )
    _check_keys(tree, label_of(path))
    return tree


def _check_keys(tree: dict[str, Any], label: str) -> None:
    """Refuse what is no text for a key, and a `${…}` that is not closed."""
    for key, value in tree.items():
        if not isinstance(key, str):
            raise UsageError(f"{show(key)} in {label}: this key is not a text; put it in quotes")
        try:
            OmegaConf.create({key: value})
        except OmegaConfBaseException:
            raise UsageError(
                f"{key} in {label}: a ${{…}} in it cannot be read; write ${{vars.mine}}"
            ) from None


def _check(group: str, name: str, shelf: Shelf, chain: list[Choice]) -> None:
    path = shelf.find(f"{group}/{name}")
    if path is None:
        return
    if group != SCENARIO:
        read_yaml(path)
        return
    tree = check_scenario_file(path)
    label = label_of(path)
    try:
        check_shapes(tree, RunConfig, Place(where=lambda key: label))
    except ConfigError as error:
        raise UsageError(str(error)) from error
    chain = [*chain, (group, name)]
    for extended in _defaults(tree, label, group, shelf):
        if extended in chain or len(chain) > _DEPTH_MAX:
            raise UsageError(f"defaults in {label}: {extended[1]} would extend itself")
        _check(*extended, shelf, chain)


def _defaults(tree: dict[str, Any], label: str, group: str, shelf: Shelf) -> Iterator[Choice]:
    """The files that a scenario extends or chooses."""
    written = tree.get("defaults") or []
    if not isinstance(written, list):
        raise UsageError(
            f"defaults in {label}: {show(written)} is not a list; write [{show(written)}]"
        )
    for entry in written:
        if isinstance(entry, str) and entry != "_self_":
            folder, _, name = entry.lstrip("/").rpartition("/")
            yield from _choice(folder or group, name, label, shelf)
        elif isinstance(entry, dict) and len(entry) == 1:
            ((key, value),) = entry.items()
            yield from _chosen_by(str(key), value, label, group, shelf)
        elif not isinstance(entry, str):
            raise UsageError(
                f"defaults in {label}: {show(entry)} is no entry such as smoke,"
                " or override /transport: http_json"
            )


def _chosen_by(key: str, value: Any, label: str, group: str, shelf: Shelf) -> Iterator[Choice]:
    """What an entry such as `override /transport: http_json` chooses."""
    match = _ENTRY.fullmatch(key.strip())
    folder = match["group"].strip() if match else key
    words = match["words"] if match else ""
    if folder not in shelf.groups:
        near = nearest(folder, shelf.groups)
        hint = f"did you mean {near}? there" if near else "there"
        groups = ", ".join(sorted(shelf.groups))
        raise UsageError(f"defaults in {label}: there is no group {folder}; {hint} are {groups}")
    relative = match is None or not match["slash"]
    if folder != group and (relative or "override" not in words):
        raise UsageError(
            f"defaults in {label}: {key} does not choose a file; write override /{folder}: {value}"
        )
    for name in value if isinstance(value, list) else [value]:
        if name is not None:
            yield from _choice(folder, str(name), label, shelf)


def _choice(group: str, name: str, label: str, shelf: Shelf) -> Iterator[Choice]:
    if "${" in name:
        return
    if shelf.find(f"{group}/{name}") is None:
        raise UsageError(f"defaults in {label}: {_no_such(group, name, shelf)}")
    yield group, name


def _no_such(group: str, name: str, shelf: Shelf) -> str:
    options = shelf.names(group)
    near = nearest(name, options)
    hint = f"did you mean {near}? there" if near else "there"
    return f"there is no {group} {name}; {hint} are {', '.join(options)}"
