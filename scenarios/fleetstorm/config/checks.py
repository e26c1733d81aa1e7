"""What types cannot say: names in one part of a run that must exist in another."""

import re
from collections.abc import Callable, Iterable, Iterator

from fleetconf.place import nearest
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.specification import mistakes
from fleetstorm.config.settings import RunConfig

_GATEWAY = "gateway"
_SENSOR_TYPE = re.compile(r"sensors\..*\.type")
_NAME = re.compile(r"[\w-]+")

Problem = tuple[str, str]
"""The dotted key, and what is wrong with it."""


def check(config: RunConfig, where: Callable[[str], str]) -> list[str]:
    """One sentence for everything that does not fit together; `where` names a key's file."""
    found = (part(config) for part in (_name, _mix, _device_types, _rules, _faults))
    return [_sentence(path, what, where(path)) for part in found for path, what in part]


def _name(config: RunConfig) -> Iterator[Problem]:
    if not _NAME.fullmatch(config.name):
        yield "name", "it names a folder, so write it with letters, digits, _ and - alone"


def _mix(config: RunConfig) -> Iterator[Problem]:
    mix = config.fleet.mix
    for name in mix:
        yield from _known(f"fleet.mix.{name}", name, config.device_type, "device type")
    if not any(weight > 0 for weight in mix.values()):
        yield "fleet.mix", "no device type has a weight above 0, so there is no fleet"
    if config.transport.gateways and config.transport.enrols and _GATEWAY not in config.device_type:
        yield "device_type", f"this transport speaks through gateways: add {_GATEWAY}"


def _device_types(config: RunConfig) -> Iterator[Problem]:
    for name, device_type in config.device_type.items():
        path = f"device_type.{name}"
        if device_type.specification.name != name:
            yield f"{path}.specification.name", f"it must be {name}, as the key above it"
        simulated = device_type.simulation.sensors
        for sensor in device_type.specification.sensors.keys() ^ simulated.keys():
            part = "specification" if sensor in simulated else "simulation"
            yield f"{path}.{part}.sensors", f"the sensor {sensor} is missing here"
        for sensor, specified in device_type.specification.sensors.items():
            key = f"{path}.specification.sensors.{sensor}.type"
            yield from _known(key, specified.type, _sensor_types(), "sensor type")
        for place, what in mistakes(device_type.specification):
            if not _SENSOR_TYPE.fullmatch(place):
                yield f"{path}.specification.{place}", what


def _rules(config: RunConfig) -> Iterator[Problem]:
    names: set[str] = set()
    for index, rule in enumerate(config.prepare.alert_rules):
        path = f"prepare.alert_rules[{index}]"
        if rule.name in names:
            yield f"{path}.name", f'there are two rules named "{rule.name}"'
        names.add(rule.name)
        if rule.device_type is not None:
            key = f"{path}.device_type"
            yield from _known(key, rule.device_type, config.device_type, "device type")
        if rule.sensor_type is not None:
            yield from _known(
                f"{path}.sensor_type", rule.sensor_type, _sensor_types(), "sensor type"
            )


def _faults(config: RunConfig) -> Iterator[Problem]:
    for index, entry in enumerate(config.timeline):
        wanted = getattr(entry.action, "device_type", None)
        if wanted is not None:
            path = f"timeline[{index}].{entry.name}.device_type"
            yield from _known(path, wanted, config.fleet.mix, "device type in fleet.mix")


def _known(path: str, name: str, names: Iterable[str], what: str) -> Iterator[Problem]:
    known = sorted(names)
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {near}? there" if near else "there"
        yield path, f"there is no {what} {name}; {hint} are {', '.join(known)}"


def _sensor_types() -> list[str]:
    return [sensor_type.label for sensor_type in SensorType]


def _sentence(path: str, what: str, file: str) -> str:
    return f"{path} in {file}: {what}" if file else f"{path}: {what}"
