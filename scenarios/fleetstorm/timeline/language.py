"""How a timeline is written: `- {at: 10s, sensor_fault: {…}}`, a time and one action."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from fleetconf import kinds
from fleetconf.convert import convert_at
from fleetconf.place import Place, nearest, show
from fleetconf.units import Duration
from fleetstorm.timeline.actions import Action

ACTIONS = "fleetstorm.timeline.actions"


@dataclass(frozen=True)
class Entry:
    """One entry: seconds of virtual time after the start of the load, and what then happens."""

    at_s: float
    name: str
    action: Action


def read_entry(value: Any, place: Place) -> Entry:
    """A written entry; raises ConfigError with a sentence."""
    if not isinstance(value, Mapping):
        raise place.error(f"{show(value)} is not an entry such as {{at: 10s, load: {{…}}}}")
    if "at" not in value:
        raise place.key("at").error("this key is missing; it says when, such as at: 10s")
    known = kinds.names(ACTIONS)
    names = [str(key) for key in value if key != "at"]
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}? there" if near else "there"
            message = f"unknown action; {hint} are {', '.join(known)}"
            raise place.key(name).error(message)
    if len(names) != 1:
        count = "no action" if not names else f"{len(names)} actions ({', '.join(names)})"
        raise place.error(f"an entry has one action, this one has {count}")
    (name,) = names
    at_s = convert_at(value["at"], Duration, place.key("at"))
    settings = kinds.load(ACTIONS, name).Settings
    return Entry(at_s, name, cast(Action, convert_at(value[name], settings, place.key(name))))
