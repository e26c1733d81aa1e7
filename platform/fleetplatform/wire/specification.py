"""What is wrong with the specification of a device type: one sentence for each mistake.

The platform asks when a type is put, the driver before a run; so both refuse the same.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import jsonschema

from fleetplatform.wire.device_type import (
    CommandSpecification,
    DeviceTypeSpecification,
    ParameterSpecification,
    SensorSpecification,
    SensorType,
)

NAME_MAX = 200
VERSION_MAX = 100
UNIT_MAX = 40
DESCRIPTION_MAX = 2_000
SENSORS_MAX = 1_024
COMMANDS_MAX = 200
PARAMETERS_MAX = 50
SETTINGS_MAX = 200
REVISIONS_MAX = 100
FIRMWARE_MAX = 1_000
INTERVAL_MIN_S, INTERVAL_MAX_S = 1e-6, 31_622_400.0
"""A µs, in which time is counted, to 366 days."""
FLAT_MAX_S = 2_678_400.0
"""31 days."""
RATE_MIN, RATE_MAX = 1e-30, 1e30
PARAMETER_TYPES = ("number", "integer", "text", "boolean")
SCHEMA_KEYS = ("type", "properties", "title", "description")
SETTING_KEYS = (
    "type", "title", "description", "default", "enum", "minimum", "maximum", "minLength",
    "maxLength",
)  # fmt: skip
SETTING_TYPES = ("number", "integer", "string", "boolean")

_T = TypeVar("_T")

Mistake = tuple[str, str]
"""The dotted place in the specification, and what is wrong there."""


def mistakes(specification: DeviceTypeSpecification) -> Iterator[Mistake]:
    """Everything that makes a specification one that no device can have."""
    yield from _text("name", specification.name, NAME_MAX)
    yield from _text("version", specification.version, VERSION_MAX)
    yield from _text("description", specification.description, DESCRIPTION_MAX, least=0)
    yield from _named("sensors", specification.sensors, SENSORS_MAX, _sensor)
    yield from _named("commands", specification.commands, COMMANDS_MAX, _command)
    yield from _configuration(specification.configuration)
    yield from _hardware(specification.hardware_revisions)
    yield from _firmware(specification)


def _text(place: str, text: str, most: int, least: int = 1) -> Iterator[Mistake]:
    if not least <= len(text) <= most or "\0" in text:
        yield place, f"write {least} to {most} characters, none of them NUL"


def _named(
    place: str, entries: Mapping[str, _T], most: int, inner: Callable[[str, _T], Iterable[Mistake]]
) -> Iterator[Mistake]:
    """A mapping by name: how many, how the names are written, and each entry."""
    if len(entries) > most:
        yield place, f"{len(entries)} are too many; {most} at most"
    for name, entry in entries.items():
        yield from _text(f"{place}.{name[:NAME_MAX]}", name, NAME_MAX)
        yield from inner(f"{place}.{name[:NAME_MAX]}", entry)


def _sensor(place: str, sensor: SensorSpecification) -> Iterator[Mistake]:
    if sensor.type not in [one.label for one in SensorType]:
        known = ", ".join(one.label for one in SensorType)
        yield f"{place}.type", f"{sensor.type!r} is not known; use one of {known}"
    yield from _text(f"{place}.unit", sensor.unit, UNIT_MAX, least=0)
    if not sensor.min <= sensor.max:
        yield place, f"min {sensor.min:g} lies above max {sensor.max:g}"
    if not 0 <= sensor.resolution < math.inf:
        yield f"{place}.resolution", f"{sensor.resolution:g} is not 0 or more"
    if not INTERVAL_MIN_S <= sensor.interval <= INTERVAL_MAX_S:
        yield f"{place}.interval", f"{sensor.interval:g} is not between 1 µs and 366 days"
    if sensor.rate_max is not None and not RATE_MIN <= sensor.rate_max <= RATE_MAX:
        yield f"{place}.rate_max", f"{sensor.rate_max:g} is not between 1e-30 and 1e30"
    if sensor.flat_after is not None and not sensor.interval < sensor.flat_after <= FLAT_MAX_S:
        yield f"{place}.flat_after", f"{sensor.flat_after:g} is not above interval, to 31 days"


def _command(place: str, command: CommandSpecification) -> Iterator[Mistake]:
    yield from _text(f"{place}.description", command.description, DESCRIPTION_MAX, least=0)
    yield from _named(f"{place}.parameters", command.parameters, PARAMETERS_MAX, _parameter)


def _parameter(place: str, parameter: ParameterSpecification) -> Iterator[Mistake]:
    low, high = parameter.min, parameter.max
    if parameter.type not in PARAMETER_TYPES:
        known = ", ".join(PARAMETER_TYPES)
        yield f"{place}.type", f"{parameter.type!r} is not known; use one of {known}"
    if parameter.type == "boolean" and (low, high) != (None, None):
        yield place, "a boolean has no range; let min and max be null"
    if low is not None and high is not None and not low <= high:
        yield place, f"min {low:g} lies above max {high:g}"


def _configuration(schema: dict[str, Any]) -> Iterator[Mistake]:
    place = "configuration"
    yield from _keys(place, schema, SCHEMA_KEYS)
    properties = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(properties, dict):
        yield place, 'write a JSON Schema with type "object" and properties'
        return
    yield from _named(f"{place}.properties", properties, SETTINGS_MAX, _setting)


def _setting(place: str, setting: Any) -> Iterator[Mistake]:
    """One property: only plain keywords, so that whoever reads it understands all of it."""
    if not isinstance(setting, dict):
        yield place, "write a JSON Schema as an object"
        return
    yield from _keys(place, setting, SETTING_KEYS)
    if setting.get("type") not in SETTING_TYPES:
        yield f"{place}.type", f"use one of {', '.join(SETTING_TYPES)}"
        return
    plain = {key: value for key, value in setting.items() if key in SETTING_KEYS}
    try:
        jsonschema.Draft202012Validator.check_schema(plain)
    except jsonschema.SchemaError as error:
        yield ".".join([place, *map(str, error.path)]), error.message[:NAME_MAX]
        return
    if "default" not in plain:
        yield f"{place}.default", "every setting has a default"
        return
    wrong = jsonschema.Draft202012Validator(plain).iter_errors(plain["default"])
    yield from ((f"{place}.default", error.message[:NAME_MAX]) for error in wrong)


def _keys(place: str, schema: dict[str, Any], known: tuple[str, ...]) -> Iterator[Mistake]:
    for key in schema.keys() - set(known):
        yield f"{place}.{key[:NAME_MAX]}", f"the key is not known here; use {', '.join(known)}"


def _hardware(revisions: tuple[str, ...]) -> Iterator[Mistake]:
    place = "hardware_revisions"
    if not 1 <= len(revisions) <= REVISIONS_MAX:
        yield place, f"name 1 to {REVISIONS_MAX} revisions"
    if len(set(revisions)) < len(revisions):
        yield place, "a revision is named more than once"
    for at, revision in enumerate(revisions):
        yield from _text(f"{place}[{at}]", revision, VERSION_MAX)


def _firmware(specification: DeviceTypeSpecification) -> Iterator[Mistake]:
    if len(specification.firmware) > FIRMWARE_MAX:
        yield "firmware", f"{len(specification.firmware)} are too many; {FIRMWARE_MAX} at most"
    for version, revisions in specification.firmware.items():
        place = f"firmware.{version[:VERSION_MAX]}"
        yield from _text(place, version, VERSION_MAX)
        if not revisions:
            yield place, "it runs on no hardware revision; name one at least"
        if len(set(revisions)) < len(revisions):
            yield place, "a hardware revision is named more than once"
        for revision in dict.fromkeys(revisions):
            if revision not in specification.hardware_revisions:
                known = ", ".join(specification.hardware_revisions[:5]) or "none"
                yield place, f"there is no hardware revision {revision[:NAME_MAX]!r}, only {known}"
