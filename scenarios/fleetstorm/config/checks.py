"""What types cannot say: names in one part of a run that must exist in another."""

import re
from collections.abc import Callable, Iterator

import numpy as np

from fleetconf import kinds
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.specification import mistakes
from fleetsim.devices.organizations import first_ordinals
from fleetstorm.config.bounds import check_bounds
from fleetstorm.config.rules import Problem, check_rules, known
from fleetstorm.config.settings import RunConfig

_GATEWAY = "gateway"
_SENSOR_TYPE = re.compile(r"sensors\..*\.type")
_NAME = re.compile(r"[\w-]+")


def check(config: RunConfig, where: Callable[[str], str]) -> list[str]:
    """One sentence for everything that does not fit together; `where` names a key's file."""
    found = (part(config) for part in _PARTS)
    return [_sentence(path, what, where(path)) for part in found for path, what in part]


def _name(config: RunConfig) -> Iterator[Problem]:
    if not _NAME.fullmatch(config.name):
        yield "name", "it names a folder, so write it with letters, digits, _ and - alone"


def _mix(config: RunConfig) -> Iterator[Problem]:
    mix = config.fleet.mix
    for name in mix:
        yield from known(f"fleet.mix.{name}", name, config.device_type, "device type")
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
            yield from known(key, specified.type, _sensor_types(), "sensor type")
        for place, what in mistakes(device_type.specification):
            if not _SENSOR_TYPE.fullmatch(place):
                yield f"{path}.specification.{place}", what


def _organizations(config: RunConfig) -> Iterator[Problem]:
    tenants = config.prepare.organizations
    if not tenants:
        return
    if not any(tenant.share > 0 for tenant in tenants):
        yield "prepare.organizations", "none has a share above 0, so no device is anybody's"
        return
    sizes = np.diff(first_ordinals(config.fleet_plan(0, "check"))).tolist()
    names: set[str] = set()
    for index, (tenant, size) in enumerate(zip(tenants, sizes, strict=True)):
        path = f"prepare.organizations[{index}]"
        if not _NAME.fullmatch(tenant.name):
            yield f"{path}.name", "write it with letters, digits, _ and - alone"
        if tenant.name in names:
            yield f"{path}.name", f"there are two organizations named {tenant.name}; rename one"
        names.add(tenant.name)
        if not size:
            yield f"{path}.share", f"of {config.fleet.devices} devices {tenant.name} gets none"


def _faults(config: RunConfig) -> Iterator[Problem]:
    for index, entry in enumerate(config.timeline):
        path = f"timeline[{index}].{entry.name}"
        wanted = getattr(entry.action, "device_type", None)
        sensor = getattr(entry.action, "sensor", None)
        if wanted is not None:
            what = "device type in fleet.mix"
            yield from known(f"{path}.device_type", wanted, config.fleet.mix, what)
        elif sensor is not None:
            yield from known(f"{path}.sensor", sensor, _sensors_of_fleet(config), "sensor")


def _detector(config: RunConfig) -> Iterator[Problem]:
    path, name = "platform.ingest.detector", config.platform.ingest.detector
    yield from known(path, name, kinds.names("fleetplatform.processing.detectors"), "detector")


def _sensors_of_fleet(config: RunConfig) -> set[str]:
    types = [config.device_type[name] for name in config.fleet.mix if name in config.device_type]
    return {sensor for one in types for sensor in one.specification.sensors}


def _rules(config: RunConfig) -> Iterator[Problem]:
    return check_rules(config.prepare.alert_rules, config.device_type, _sensor_types())


def _sensor_types() -> list[str]:
    return [sensor_type.label for sensor_type in SensorType]


def _sentence(path: str, what: str, file: str) -> str:
    return f"{path} in {file}: {what}" if file else f"{path}: {what}"


_PARTS = (_name, _organizations, _mix, _device_types, _rules, _faults, _detector, check_bounds)
