"""What exists: scenarios, actions, kinds of signal and fault, groups of the configuration, metrics.

Read from the folders themselves, so nothing is listed twice. `cli` prints it.
"""

import ast
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import fleetconf
from fleetconf import kinds
from fleetconf.place import nearest
from fleetstorm.errors import UsageError


class Item(NamedTuple):
    """One thing that can be named in a scenario, and a sentence about it."""

    name: str
    description: str


def items(what: str, config_dir: Path | None = None) -> list[Item]:
    """Everything of one sort, in order of name; raises UsageError for a sort there is not."""
    if what not in SORTS:
        near = nearest(what, SORTS)
        hint = f"did you mean {near}? there" if near else "there"
        raise UsageError(f"list {what}: nothing of that sort; {hint} are {', '.join(SORTS)}")
    return list(SORTS[what](config_dir))


def _scenarios(config_dir: Path | None) -> Iterator[Item]:
    from fleetstorm.config.compose import scenario_files
    from fleetstorm.config.sources import read_yaml

    for name, path in sorted(scenario_files(config_dir).items()):
        try:
            description = str(read_yaml(path).get("description", ""))
        except UsageError as error:
            description = str(error)
        yield Item(name, description)


def _kinds_of(package: str) -> Callable[[Path | None], Iterator[Item]]:
    def found(config_dir: Path | None) -> Iterator[Item]:
        for name in kinds.names(package):
            yield Item(name, _first_sentence(package, name).removeprefix(f"{name}: "))

    return found


def _first_sentence(package: str, name: str) -> str:
    """The first line of a kind's docstring, read without importing it."""
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for path in (Path(folder) / f"{name}{end}.py" for folder in folders for end in ("", "_")):
        if path.exists():
            return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]
    return ""


def _group(name: str) -> Callable[[Path | None], Iterator[Item]]:
    def found(config_dir: Path | None) -> Iterator[Item]:
        roots = [Path(fleetconf.__path__[0])] + ([config_dir] if config_dir else [])
        files = {path.stem: path for root in roots for path in (root / name).glob("*.yaml")}
        for stem, path in sorted(files.items()):
            yield Item(stem, _first_comment(path))

    return found


def _first_comment(path: Path) -> str:
    """The sentence on top of a YAML file, below the line that says where it lands."""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#") and "@package" not in line:
            return line.lstrip("# ").strip()
        if line and not line.startswith("#"):
            break
    return ""


def _metrics(config_dir: Path | None) -> Iterator[Item]:
    from fleetstorm.results.registry import metrics

    for name, metric in metrics().items():
        yield Item(name, f"{metric.description} [{metric.unit}]")


SORTS: Mapping[str, Callable[[Path | None], Iterator[Item]]] = {
    "scenarios": _scenarios,
    "actions": _kinds_of("fleetstorm.timeline.actions"),
    "signals": _kinds_of("fleetsim.signals.kinds"),
    "faults": _kinds_of("fleetsim.faults.kinds"),
    "profiles": _kinds_of("fleetsim.load.profiles"),
    "transports": _group("transport"),
    "engines": _group("engine"),
    "layouts": _group("layout"),
    "device_types": _group("device_type"),
    "bars": _metrics,
    "metrics": _metrics,
}
"""Every sort of thing by its word. A bar is held against a metric, so the two are one list."""
