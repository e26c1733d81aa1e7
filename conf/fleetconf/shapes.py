"""The shapes of a tree, looked at before trees are merged: a list can only replace a list.

Entry: `check_shapes`. What a value must be beside that is `convert`'s to say, of the whole tree.
"""

from collections.abc import Mapping
from typing import Any, get_args, get_origin

import msgspec

from fleetconf.convert import is_struct, unwrap
from fleetconf.place import Place, show


def check_shapes(value: Any, type_: Any, place: Place) -> None:
    """Raise ConfigError where a mapping stands for a list, or a list for a mapping.

    A text may stand anywhere: it may be an interpolation, or the bare name of a kind.
    """
    _, bare = unwrap(type_)
    origin = get_origin(bare)
    if value is None or isinstance(value, str):
        return
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            what = "a mapping" if isinstance(value, Mapping) else show(value)
            raise place.error(f"this is {what}, not a list; begin each entry with a dash: - …")
        return
    mapped = is_struct(bare) or origin in (dict, Mapping)
    if mapped and not isinstance(value, Mapping):
        raise place.error(f"{show(value)} is not a mapping of keys to values")
    if mapped:
        for key, type_below in _types_below(value, bare):
            check_shapes(value[key], type_below, place.key(str(key)))


def _types_below(value: Mapping[Any, Any], bare: Any) -> list[tuple[Any, Any]]:
    """The keys whose types are known, with their types."""
    if not is_struct(bare):
        return [(key, (get_args(bare) or (str, Any))[1]) for key in value]
    fields = {f.encode_name: f.type for f in msgspec.structs.fields(bare)}
    return [(key, fields[key]) for key in value if key in fields]
