"""Hydra composes the tree; `fleetconf` turns it into a `RunConfig`; every mistake is a sentence."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import fleetconf
import fleetstorm
from fleetconf.convert import convert
from fleetconf.errors import ConfigError
from fleetconf.place import Place
from fleetconf.shapes import check_shapes
from fleetsim.errors import RecordingError
from fleetsim.signals.recording import read_recording
from fleetstorm.config.checks import check
from fleetstorm.config.chosen import Choice, Shelf, check_chosen
from fleetstorm.config.overrides import parse, plain, spell, split_sweep
from fleetstorm.config.rehearsal import rehearse
from fleetstorm.config.settings import RunConfig
from fleetstorm.config.sources import (
    COMMAND_LINE,
    Source,
    Sources,
    below,
    find,
    label_of,
    read_yaml,
)
from fleetstorm.config.unfit import explain
from fleetstorm.errors import UsageError

_PRIMARY = "config"
_SIGNAL = "device_type.*.simulation.sensors.*.signal"
_ONE_VALUE = ("fleet.mix", "fleet.regions", "load.profile", _SIGNAL)
"""Mappings that are one value: who gives one replaces it, where Hydra would merge."""
_OF_A_KIND = ("transport",)
"""Mappings whose keys follow from their kind: who gives one with its kind replaces it."""


@dataclass(frozen=True)
class Composed:
    """A run's configuration: typed, and as the YAML that gives the same run again."""

    config: RunConfig
    yaml: str


class Composer:
    """Composes runs from the shipped configuration and a folder of the user's own.

    Made by `composer`, and usable inside it only: Hydra keeps one search path a process.
    """

    def __init__(self, folders: Sequence[Path], searched: Sequence[Path]) -> None:
        """`folders` have the files, `searched` are what Hydra is told of beside `fleetconf`."""
        self._shelf = Shelf([folders[-1], *folders[:-1]])
        places = ",".join(f"'file://{folder}'" for folder in searched)
        self._search_path = f"hydra.searchpath=[{places}]"
        self._loader = GlobalHydra.instance().config_loader()
        self.groups = self._shelf.groups

    def compose(self, overrides: Sequence[str], *, spelt: bool = False) -> Composed:
        """One run of the overrides, checked in full; raises UsageError."""
        words = list(overrides) if spelt else [spell(o, self.groups) for o in overrides]
        tree = self._tree(words)
        sources = self._sources(words)
        _drop_merged(tree, sources)
        _find_recordings(tree, sources)
        try:
            config = convert(tree, RunConfig, where=sources.where)
        except ConfigError as error:
            raise UsageError(str(error)) from error
        if problems := check(config, sources.where) or rehearse(config, sources.where):
            raise UsageError("\n".join(problems))
        text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
        return Composed(config, text)

    def sweep(self, overrides: Sequence[str]) -> list[tuple[str, Composed]]:
        """Every run of a sweep, with what sets it apart; all are checked before the first runs."""
        runs = split_sweep([spell(o, self.groups, sweep=True) for o in overrides])
        varied = [len(set(values)) > 1 for values in zip(*runs, strict=True)]
        return [(_label(run, varied), self.compose(run, spelt=True)) for run in runs]

    def _tree(self, overrides: Sequence[str]) -> dict[str, Any]:
        """What Hydra makes of the words, whose files and values were looked at before."""
        check_chosen(list(self._choices(overrides)), self._shelf)
        for override in self._values(overrides):
            source = _source_of(override)
            try:
                check_shapes(source.tree, RunConfig, Place(where=lambda key: COMMAND_LINE))
            except ConfigError as error:
                raise UsageError(str(error)) from error
        try:
            tree = self._merge(overrides)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
            said = explain(error, overrides, self._where(overrides), self._fits)
            raise UsageError(said) from error
        return {str(key): value for key, value in tree.items()} if isinstance(tree, dict) else {}

    def _merge(self, overrides: Sequence[str]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            composed = hydra_compose(_PRIMARY, [*overrides, self._search_path])
        return OmegaConf.to_container(composed, resolve=True)

    def _fits(self, overrides: Sequence[str]) -> bool:
        try:
            self._merge(overrides)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError):
            return False
        return True

    def _where(self, overrides: Sequence[str]) -> Callable[[str], str]:
        """Where keys are written, as far as it can be known of a tree that does not fit."""
        try:
            return self._sources(overrides).where
        except (HydraException, OmegaConfBaseException, yaml.YAMLError):
            return lambda path: ""

    def _choices(self, overrides: Sequence[str]) -> Iterator[Choice]:
        """The files that the words choose."""
        for override in parse(overrides):
            if override.get_key_element() in self.groups and not override.is_delete():
                value = override.value()
                for name in value if isinstance(value, list) else [value]:
                    if name is not None:
                        yield override.key_or_group, str(name)

    def _values(self, overrides: Sequence[str]) -> list[Override]:
        """The words that set a value."""
        return [
            override
            for override in parse(overrides)
            if override.get_key_element().lstrip("+") not in self.groups
            and not override.is_delete()
        ]

    def _sources(self, overrides: Sequence[str]) -> Sources:
        """The files that went into the tree, in order of merging, then the overrides."""
        words = [*overrides, self._search_path]
        found = self._loader.compute_defaults_list(_PRIMARY, words, RunMode.RUN).defaults
        sources = [
            Source(label_of(path), below(entry.package or "", read_yaml(path)))
            for entry in found
            if entry.config_path and (path := self._shelf.find(entry.config_path))
        ]
        return Sources(sources + [_source_of(override) for override in self._values(overrides)])


@contextmanager
def composer(config_dir: Path | None = None) -> Iterator[Composer]:
    """A composer with the folder `config_dir` before the shipped scenarios; raises UsageError."""
    if config_dir is not None and not config_dir.is_dir():
        raise UsageError(f"--config-dir {config_dir}: there is no such folder")
    own = [config_dir.resolve()] if config_dir else []
    driver, shipped_groups = Path(fleetstorm.__path__[0]), Path(fleetconf.__path__[0])
    # Hydra takes every folder beside `scenario` for a group, and `timeline` is a key.
    with tempfile.TemporaryDirectory(prefix="fleetstorm-") as alone:
        (Path(alone) / "scenario").symlink_to(driver / "scenario")
        with initialize_config_module("fleetconf", job_name="run", version_base="1.3"):
            yield Composer([*own, driver, shipped_groups], [*own, Path(alone)])


def scenario_files(config_dir: Path | None = None) -> dict[str, Path]:
    """Every scenario by name, a user's own before a shipped one of the same name."""
    folders = [Path(fleetstorm.__path__[0])] + ([config_dir] if config_dir else [])
    return {
        path.stem: path for root in folders for path in sorted((root / "scenario").glob("*.yaml"))
    }


def shipped(group: str, name: str) -> dict[str, Any]:
    """One file of a shipped group as it stands, without the key that names its kind."""
    tree = read_yaml(Path(fleetconf.__path__[0]) / group / f"{name}.yaml")
    return {key: value for key, value in tree.items() if key != "kind"}


def _source_of(override: Override) -> Source:
    key = override.key_or_group
    return Source(COMMAND_LINE, below(key, override.value()), key)


def _drop_merged(tree: dict[str, Any], sources: Sources) -> None:
    """Take from mappings that are one value what an earlier file had in them."""
    for pattern in (*_ONE_VALUE, *_OF_A_KIND):
        for path, value in find(tree, pattern):
            keys = sources.last_keys(path, "kind" if pattern in _OF_A_KIND else None)
            if keys is not None and isinstance(value, dict):
                for key in value.keys() - keys:
                    del value[key]


def _find_recordings(tree: dict[str, Any], sources: Sources) -> None:
    """Make the paths of recordings absolute, and read each once; raises UsageError.

    A relative path is looked up in the current folder, then beside the file that it stands in.
    """
    for path, signal in find(tree, _SIGNAL):
        if not isinstance(signal, dict) or not isinstance(signal.get("path"), str):
            continue
        file = sources.where(f"{path}.path")
        found = _locate(Path(signal["path"]), Path(file).parent)
        try:
            read_recording(found)
        except RecordingError as error:
            raise UsageError(f"{path}.path in {file}: {error}") from error
        signal["path"] = str(found)


def _locate(path: Path, beside: Path) -> Path:
    here = Path.cwd() / path
    there = Path.cwd() / beside / path
    return there if there.exists() and not here.exists() else here


def _label(run: Sequence[str], varied: Sequence[bool]) -> str:
    return ",".join(plain(o) for o, differs in zip(run, varied, strict=True) if differs)
