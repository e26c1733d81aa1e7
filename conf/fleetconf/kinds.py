"""Folders of kinds: one file each, found by scanning, with no central list to edit.

A kind is a module of such a folder: `diurnal.py` is the kind "diurnal", `null_.py` the kind
"null"; names that begin with an underscore are skipped. The module's struct `Settings` is both
its configuration and its factory.
"""

import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from fleetconf.errors import KindError


@dataclass(frozen=True)
class Kind:
    """Marks a settings field whose value is one kind of a folder.

    Written `signal: Annotated[Any, Kind("fleetsim.signals.kinds")]`. In YAML it is a mapping with
    the key `kind` (or the kind's bare name, where it needs no other key); `convert` turns it into
    that module's `Settings`.
    """

    package: str


def names(package: str) -> list[str]:
    """The kinds in a folder, in order of name, without importing them."""
    return sorted(_modules(package))


def load(package: str, kind: str) -> ModuleType:
    """The module of one kind; raises KindError if the folder has none of that name."""
    modules = _modules(package)
    if kind not in modules:
        raise KindError(f'"{kind}" is no kind of {package}; there are {", ".join(sorted(modules))}')
    return importlib.import_module(f"{package}.{modules[kind]}")


def find(package: str) -> dict[str, ModuleType]:
    """Every kind of a folder with its module, in order of name."""
    return {kind: load(package, kind) for kind in names(package)}


def name_of(settings: Any) -> str:
    """The kind that made these settings: the name of the module that their type stands in."""
    return type(settings).__module__.rpartition(".")[2].rstrip("_")


def _modules(package: str) -> dict[str, str]:
    """Kind → module name; a trailing underscore keeps a kind's name off a word of Python."""
    try:
        folder = importlib.import_module(package)
    except ModuleNotFoundError as error:
        if not f"{package}.".startswith(f"{error.name}."):
            raise
        raise KindError(f"there is no folder of kinds {package}") from error
    found = (module.name for module in pkgutil.iter_modules(folder.__path__))
    return {name.rstrip("_"): name for name in found if not name.startswith("_")}
