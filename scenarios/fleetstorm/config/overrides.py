"""How an override is written: `key=value`, by its plain name, in words that YAML would take.

Hydra asks for more: `+` or `++` before a key that a mapping does not have yet, quotes around a text
with `=`, `#` or brackets in it. Both are added here, so that a user need not know.
"""

import re
from collections.abc import Collection, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from fleetconf.convert import keys_of, type_at
from fleetconf.place import nearest
from fleetstorm.config.chosen import check_name
from fleetstorm.config.settings import RunConfig
from fleetstorm.errors import UsageError

_KEY = re.compile(r"(?P<sign>\+\+|\+|~)?(?P<key>[A-Za-z_@][\w./@:-]*)")
_QUOTES = ("'", '"')


def spell(override: str, groups: Collection[str], *, sweep: bool = False) -> str:
    """The override as Hydra takes it; raises UsageError.

    `groups` are the names that choose a file, such as transport. With `sweep` a comma separates
    the values of several runs; without, it belongs to the value.
    """
    key, equals, value = override.partition("=")
    match = _KEY.fullmatch(key.strip())
    if match is None or not (equals or match["sign"] == "~"):
        raise UsageError(f"{override}: an override is key=value, such as fleet.devices=5000")
    name, sign = match["key"], match["sign"]
    if sign == "~":
        return override
    if name.split("@")[0] in groups:
        _check_choice(name, value.strip(), sweep=sweep)
        return f"{name}={value}"
    _check_root(override, name, groups)
    return f"++{name}={_spell_value(name, value.strip(), sweep=sweep)}"


def split_sweep(overrides: Sequence[str]) -> list[list[str]]:
    """Spelt overrides of a sweep as those of its runs: every combination of their values."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    try:
        (runs,) = BasicSweeper.split_arguments(parse(overrides), max_batch_size=None)
    except HydraException as error:
        said = " ".join(map(plain, overrides))
        raise UsageError(f"{said}: this makes no sweep; write key=value,value") from error
    return [list(run) for run in runs]


def plain(override: str) -> str:
    """A spelt override as a user would have written it."""
    return override.lstrip("+")


def parse(overrides: Sequence[str]) -> list[Override]:
    """Spelt overrides as Hydra understands them; raises UsageError."""
    parsed = []
    for override in overrides:
        try:
            parsed.append(OverridesParser.create().parse_override(override))
        except HydraException as error:
            raise UsageError(
                f"{plain(override)} in the command line: it cannot be read;"
                " an override is key=value, such as fleet.devices=5000"
            ) from error
    return parsed


def _check_choice(name: str, value: str, *, sweep: bool) -> None:
    """Refuse what cannot be the name of a file, or several of them for one run."""
    if value == "null" or value.startswith("[") or (sweep and "(" in value):
        return
    if "," in value and not sweep:
        raise UsageError(f"{name}={value}: several values make several runs; add --multirun")
    for one in value.split(","):
        bare = one.strip()
        check_name(name, bare[1:-1] if re.fullmatch(r"(['\"]).*\1", bare) else bare)


def _check_root(override: str, name: str, groups: Collection[str]) -> None:
    """Refuse a key whose first word nobody knows, with the nearest of keys and groups."""
    root = name.partition(".")[0]
    known = {key.partition(".")[0] for key in keys_of(RunConfig)} | set(groups)
    if root in known:
        return
    near = nearest(root, known)
    hint = f"did you mean {near}?" if near else f"the first words are {', '.join(sorted(known))}"
    raise UsageError(f"{override} in the command line: unknown key {root}; {hint}")


def _spell_value(name: str, value: str, *, sweep: bool) -> str:
    if value == "null" or value.startswith(_QUOTES):
        return value
    if _is_text(name) and not (sweep and "," in value and "://" not in value):
        return _quote(value)
    try:
        parsed = OverridesParser.create().parse_override(f"{name}={value}")
    except HydraException:
        return _quote(value)
    if parsed.is_sweep_override() and not sweep:
        raise UsageError(f"{name}={value}: several values make several runs; add --multirun")
    return value


def _is_text(name: str) -> bool:
    """Whether the key takes free text, such as a URL or a path."""
    return type_at(RunConfig, name) in (str, str | None)


def _quote(value: str) -> str:
    """The value as a text in Hydra's quotes; a backslash counts only before a quote."""
    escaped = re.sub(r"(\\*)(?='|$)", r"\1\1", value).replace("'", "\\'")
    return f"'{escaped}'"
