"""A composed tree of plain values becomes frozen structs; every fault becomes one sentence.

Entry: `convert`. A struct's fields are the keys of the mapping (a field renamed by msgspec, such
as `for`, by its written name). The unit of a quantity stands in the field's type
(`fleetconf.units`), a kind is marked with `fleetconf.kinds.Kind`, and a field with a shape of its
own with `By`.
"""

import math
import operator
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from fleetconf import kinds, units
from fleetconf.errors import ConfigError, KindError, UnitError
from fleetconf.place import By, Place, nearest, show

T = TypeVar("T")

_NOUNS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_LIMITS = {
    "ge": (operator.ge, "at least"),
    "gt": (operator.gt, "more than"),
    "le": (operator.le, "at most"),
    "lt": (operator.lt, "less than"),
}


def convert(
    tree: Mapping[str, Any], type_: type[T], *, where: Callable[[str], str] | None = None
) -> T:
    """The tree as `type_`, all of it checked; raises ConfigError with a sentence for each fault."""
    root = Place(where=where or (lambda path: ""), known=frozenset(keys_of(type_)))
    result: T = convert_at(tree, type_, root)
    return result


def convert_at(value: Any, type_: Any, place: Place) -> Any:
    """A value at a place of the tree as `type_`; raises ConfigError."""
    markers, bare = unwrap(type_)
    for marker in markers:
        if isinstance(marker, By):
            return marker.read(value, place)
        if isinstance(marker, kinds.Kind):
            return _convert_kind(value, marker.package, place)
    meta = [marker for marker in markers if isinstance(marker, msgspec.Meta)]
    unit = next((m.extra["unit"] for m in meta if m.extra and "unit" in m.extra), None)
    result = _convert_unit(value, unit, place) if unit else _convert_bare(value, bare, place)
    _check_limits(result, meta, unit, place)
    return result


def keys_of(type_: Any, prefix: str = "") -> list[str]:
    """The dotted keys that a struct type knows, those of structs inside it too."""
    _, bare = unwrap(type_)
    if not is_struct(bare):
        return []
    keys = []
    for entry in msgspec.structs.fields(bare):
        keys.append(prefix + entry.encode_name)
        keys += keys_of(entry.type, f"{prefix}{entry.encode_name}.")
    return keys


def type_at(type_: Any, path: str) -> Any:
    """The type of the field at a dotted path of a struct type, or None if it knows none there."""
    for name in path.split("."):
        _, bare = unwrap(type_)
        if not is_struct(bare):
            return None
        found = [f.type for f in msgspec.structs.fields(bare) if f.encode_name == name]
        if not found:
            return None
        type_ = found[0]
    return type_


def unwrap(type_: Any) -> tuple[list[Any], Any]:
    """The markers of Annotated types, and the type inside."""
    markers: list[Any] = []
    while get_origin(type_) is Annotated:
        type_, *outer = get_args(type_)
        markers += outer
    return markers, type_


def is_struct(type_: Any) -> bool:
    """Whether the type is a struct, so that its fields are the keys of a mapping."""
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def _convert_unit(value: Any, unit: str, place: Place) -> Any:
    try:
        return units.parse(value, unit)
    except UnitError as error:
        raise place.error(str(error)) from None


def _convert_bare(value: Any, type_: Any, place: Place) -> Any:
    origin = get_origin(type_)
    if type_ is Any or type_ is object:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(value, get_args(type_), place)
    if origin is Literal:
        return _convert_literal(value, get_args(type_), place)
    if origin in (dict, Mapping) or type_ is dict:
        return _convert_mapping(value, (get_args(type_) or (str, Any))[1], place)
    if origin in (tuple, list):
        return origin(_convert_items(value, get_args(type_)[0], place))
    if is_struct(type_):
        return _convert_struct(value, type_, place)
    if type_ in _NOUNS:
        return _convert_scalar(value, type_, place)
    return _convert_other(value, type_, place)


def _convert_scalar(value: Any, type_: Any, place: Place) -> Any:
    fits = isinstance(value, type_) and (type_ is bool or not isinstance(value, bool))
    if fits and not (type_ is float and not math.isfinite(value)):
        return value
    if type_ is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type_ is str and isinstance(value, bool | int | float):
        what = f"YAML reads this as {show(value)}, but a text is expected"
        raise place.error(f'{what}; put it in quotes, such as "{show(value)}"')
    raise place.error(f"{show(value)} is not {_NOUNS[type_]}")


def _convert_literal(value: Any, choices: tuple[Any, ...], place: Place) -> Any:
    if value in choices and not isinstance(value, bool):
        return value
    near = nearest(str(value), [str(c) for c in choices])
    hint = f"; did you mean {near}?" if near else ""
    raise place.error(f"{show(value)} is not one of {', '.join(map(str, choices))}{hint}")


def _convert_union(value: Any, members: tuple[Any, ...], place: Place) -> Any:
    """The first member that takes the value; else the fault of the member of the value's shape."""
    if value is None and type(None) in members:
        return None
    faults = []
    for member in members:
        if member is type(None):
            continue
        try:
            return convert_at(value, member, place)
        except ConfigError as error:
            faults.append((_same_shape(value, member), error))
    faults.sort(key=lambda fault: not fault[0])
    raise faults[0][1]


def _same_shape(value: Any, type_: Any) -> bool:
    _, bare = unwrap(type_)
    many = get_origin(bare) in (tuple, list)
    mapped = is_struct(bare) or get_origin(bare) is dict
    return many == isinstance(value, list | tuple) and mapped == isinstance(value, Mapping)


def _convert_items(value: Any, type_: Any, place: Place) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise place.error(f"{show(value)} is not a list")
    items = enumerate(value)
    return _all_of([partial(convert_at, item, type_, place.item(i)) for i, item in items])


def _convert_mapping(value: Any, type_: Any, place: Place) -> dict[str, Any]:
    entries = _mapping(value, place)
    steps = [partial(convert_at, entry, type_, place.key(k)) for k, entry in entries.items()]
    return dict(zip(entries, _all_of(steps), strict=True))


def _convert_struct(value: Any, type_: Any, place: Place) -> Any:
    entries = _mapping(value, place)
    fields = {f.encode_name: f for f in msgspec.structs.fields(type_)}
    wrong = [partial(_refuse_key, key, list(fields), place) for key in entries if key not in fields]
    wrong += [
        partial(_refuse_missing, key, place)
        for key, entry in fields.items()
        if entry.required and key not in entries
    ]
    given = [(key, entry) for key, entry in fields.items() if key in entries]
    steps = [partial(convert_at, entries[key], entry.type, place.key(key)) for key, entry in given]
    values = _all_of(wrong + steps)
    try:
        return type_(**{entry.name: made for (_, entry), made in zip(given, values, strict=True)})
    except ConfigError:
        raise
    except (ValueError, TypeError) as error:
        raise place.error(str(error)) from None


def _convert_kind(value: Any, package: str, place: Place) -> Any:
    """A mapping with the key `kind`, or a kind's bare name, as that kind's Settings."""
    entries = {"kind": value} if isinstance(value, str) else dict(_mapping(value, place))
    available = kinds.names(package)
    if "kind" not in entries:
        raise place.error(f"kind is missing; there are {', '.join(available)}")
    kind = entries.pop("kind")
    try:
        module = kinds.load(package, kind)
    except KindError:
        near = nearest(str(kind), available)
        hint = f"did you mean {near}? there" if near else "there"
        raise place.key("kind").error(
            f"{show(kind)} is unknown; {hint} are {', '.join(available)}"
        ) from None
    return _convert_struct(entries, module.Settings, place)


def _convert_other(value: Any, type_: Any, place: Place) -> Any:
    """Types of the wire (UUID and the like), which msgspec knows how to read."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise place.error(f"{show(value)} does not fit: {error}") from None


def _mapping(value: Any, place: Place) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise place.error(f"{show(value)} is not a mapping of keys to values")
    for key in value:
        if not isinstance(key, str):
            raise place.error(f"the key {show(key)} is not a text; put it in quotes")
    return dict(value)


def _all_of(steps: list[partial[Any]]) -> list[Any]:
    """What each step makes; if some fail, one ConfigError with the problems of all."""
    made: list[Any] = []
    problems: list[str] = []
    for step in steps:
        try:
            made.append(step())
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return made


def _check_limits(value: Any, meta: list[msgspec.Meta], unit: str | None, place: Place) -> None:
    if value is None or isinstance(value, bool):
        return
    for limits in meta:
        for name, (holds, word) in _LIMITS.items():
            limit = getattr(limits, name)
            if limit is not None and not holds(value, limit):
                shown, edge = (units.format(n, unit) if unit else n for n in (value, limit))
                raise place.error(f"{shown} is out of range; it must be {word} {edge}")


def _refuse_key(key: str, siblings: list[str], place: Place) -> None:
    near = nearest(key, siblings)
    if near:
        raise place.key(key).error(f"unknown key; did you mean {place.key(near).path}?")
    elsewhere = sorted(k for k in place.known if k.rpartition(".")[2] == key)
    if elsewhere:
        raise place.key(key).error(f"unknown key; did you mean {elsewhere[0]}?")
    here = f"; the keys here are {', '.join(siblings)}" if siblings else "; there are no keys here"
    raise place.key(key).error(f"unknown key{here}")


def _refuse_missing(key: str, place: Place) -> None:
    raise place.key(key).error("this key is missing")
