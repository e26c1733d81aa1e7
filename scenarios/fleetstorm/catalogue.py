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
    if what == "bars":
        raise UsageError("list bars: a bar is held against a metric; write fleetstorm list metrics")
    if what not in SORTS:
        near = nearest(what, SORTS)
        hint = f"did you mean {near}? there" if near else "there"
        raise UsageError(f"list {what}: nothing of that sort; {hint} are {', '.join(SORTS)}")
    return list(SORTS[what].find(config_dir))


def _scenarios(config_dir: Path | None) -> Iterator[Item]:
    from fleetstorm.config.chosen import SCENARIO, check_name, check_scenario_file
    from fleetstorm.config.compose import scenario_files

    for name, path in sorted(scenario_files(config_dir).items()):
        try:
            check_name(SCENARIO, name)
            description = str(check_scenario_file(path).get("description", ""))
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


def _conditions(config_dir: Path | None) -> Iterator[Item]:
    """What the oracle can judge; the sentences stand where the platform has them."""
    from fleetsim.oracle.conditions import MEANINGS

    for name in sorted(MEANINGS):
        sentence = _first_sentence("fleetplatform.alerting.conditions", name)
        yield Item(name, sentence.removeprefix(f"{name}: "))


class Sort(NamedTuple):
    """One sort of thing: what it is, and how all there are of it are found."""

    description: str
    find: Callable[[Path | None], Iterator[Item]]


SORTS: Mapping[str, Sort] = {
    "scenarios": Sort("what a run can be: scenario=NAME", _scenarios),
    "actions": Sort(
        "what can happen in a timeline: {at: 10s, NAME: {…}}",
        _kinds_of("fleetstorm.timeline.actions"),
    ),
    "signals": Sort("how the true value of a sensor moves", _kinds_of("fleetsim.signals.kinds")),
    "faults": Sort("what can be wrong with a sensor", _kinds_of("fleetsim.faults.kinds")),
    "conditions": Sort("what an alert rule can ask of a reading", _conditions),
    "profiles": Sort("how the load moves: load.profile=NAME", _kinds_of("fleetsim.load.profiles")),
    "transports": Sort("how readings travel: transport=NAME", _group("transport")),
    "engines": Sort("what turns a batch into rows: engine=NAME", _group("engine")),
    "detectors": Sort(
        "what scores readings: platform.ingest.detector=NAME",
        _kinds_of("fleetplatform.processing.detectors"),
    ),
    "layouts": Sort("how readings are stored: layout=NAME", _group("layout")),
    "device_types": Sort("what the fleet is made of: fleet.mix.NAME=1", _group("device_type")),
    "metrics": Sort("every figure of a run, and what a bar is held against", _metrics),
}
"""Every sort of thing by its word."""
