"""Hydra composes the tree; `fleetconf` turns it into a `RunConfig`; every mistake is a sentence."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import fleetconf
import fleetstorm
from fleetconf.convert import convert
from fleetconf.errors import ConfigError
from fleetconf.place import nearest
from fleetsim.errors import RecordingError
from fleetsim.signals.recording import read_recording
from fleetstorm.config.checks import check
from fleetstorm.config.overrides import first_line, plain, spell, split_sweep
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
from fleetstorm.errors import UsageError

_PRIMARY = "config"
_SIGNAL = "device_type.*.simulation.sensors.*.signal"
_ONE_VALUE = ("fleet.mix", "fleet.regions", "load.profile", _SIGNAL)
"""Mappings that are one value: who gives one replaces it, where Hydra would merge."""


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
        self._folders = folders
        places = ",".join(f"'file://{folder}'" for folder in searched)
        self._search_path = f"hydra.searchpath=[{places}]"
        self._loader = GlobalHydra.instance().config_loader()
        groups = {f.parent.name for root in folders for f in root.glob("*/*.yaml")}
        self.groups = frozenset(groups)

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
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                composed = hydra_compose(_PRIMARY, [*overrides, self._search_path])
            tree = OmegaConf.to_container(composed, resolve=True)
        except MissingConfigException as error:
            raise UsageError(_no_such_file(error)) from error
        except (HydraException, OmegaConfBaseException) as error:
            for folder in self._folders:  # a file that is no YAML says more about itself
                _read_all(folder)
            raise UsageError(f"the configuration: {first_line(_cause(error))}") from error
        except yaml.YAMLError as error:
            for folder in self._folders:
                _read_all(folder)
            raise UsageError(f"the configuration is not YAML: {first_line(error)}") from error
        return {str(key): value for key, value in tree.items()} if isinstance(tree, dict) else {}

    def _sources(self, overrides: Sequence[str]) -> Sources:
        """The files that went into the tree, in order of merging, then the overrides."""
        words = [*overrides, self._search_path]
        found = self._loader.compute_defaults_list(_PRIMARY, words, RunMode.RUN).defaults
        sources = [
            Source(label_of(path), below(entry.package or "", read_yaml(path)))
            for entry in found
            if entry.config_path and (path := self._file(entry.config_path))
        ]
        parsed = OverridesParser.create().parse_overrides(list(overrides))
        values = [o for o in parsed if o.get_key_element().lstrip("+") not in self.groups]
        return Sources(sources + [_source_of(o) for o in values if not o.is_delete()])

    def _file(self, config_path: str) -> Path | None:
        order = [self._folders[-1], *self._folders[:-1]]
        candidates = [folder / f"{config_path}.yaml" for folder in order]
        return next((path for path in candidates if path.exists()), None)


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
    for pattern in _ONE_VALUE:
        for path, value in find(tree, pattern):
            keys = sources.last_keys(path)
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


def _cause(error: Exception) -> Exception:
    """What OmegaConf says, where Hydra only says that something is wrong."""
    cause = error.__cause__
    return cause if isinstance(cause, OmegaConfBaseException) else error


def _label(run: Sequence[str], varied: Sequence[bool]) -> str:
    return ",".join(plain(o) for o, differs in zip(run, varied, strict=True) if differs)


def _no_such_file(error: MissingConfigException) -> str:
    missing = error.missing_cfg_file or ""
    group, _, name = missing.rpartition("/")
    if not group:
        return first_line(error)
    options = sorted(error.options or [])
    near = nearest(name, options)
    hint = f"did you mean {near}? there" if near else "there"
    return f"{group}={name}: there is no {group} {name}; {hint} are {', '.join(options)}"


def _read_all(folder: Path) -> None:
    """Read the YAML files of a folder's groups; raises UsageError at the first that is none."""
    for path in sorted(folder.glob("*/*.yaml")):
        read_yaml(path)
