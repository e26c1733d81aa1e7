"""The catalogue of device types.

The database keeps a specification's sensors as a list, for jsonb forgets the order of members and
the order of sensors is part of the contract.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import transaction
from fleetplatform.errors import InvalidError
from fleetplatform.wire.device_type import (
    DeviceTypeSpecification,
    SensorSpecification,
    SensorType,
)
from fleetplatform.wire.resources import DeviceType

NAME_MAX = 200
UNIT_MAX = 40

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class KnownType:
    """A device type as enrolment needs it; sensors by name, in order."""

    device_type_id: UUID
    sensors: dict[str, SensorSpecification]


async def put(pool: Pool, specification: DeviceTypeSpecification) -> DeviceType:
    """Store a device type, new or changed; raises InvalidError with one sentence."""
    check(specification)
    stored = msgspec.to_builtins(specification)
    stored["sensors"] = [{"sensor": name, **one} for name, one in stored["sensors"].items()]
    async with transaction(pool, None) as conn:
        type_id = await _queries.put_device_type(
            conn,
            name=specification.name,
            version=specification.version,
            specification=stored,
        )
    return DeviceType(device_type_id=type_id, specification=specification)


async def find(conn: Connection, names: Sequence[str]) -> dict[str, KnownType]:
    """Those of the named types that exist."""
    return {
        row["name"]: KnownType(row["device_type_id"], _sensors(row["specification"]["sensors"]))
        async for row in _queries.device_types(conn, names=sorted(set(names)))
    }


def _sensors(stored: list[dict[str, Any]]) -> dict[str, SensorSpecification]:
    return {
        one["sensor"]: msgspec.convert(
            {key: value for key, value in one.items() if key != "sensor"}, SensorSpecification
        )
        for one in stored
    }


def check(specification: DeviceTypeSpecification) -> None:
    """Raise InvalidError, one sentence, for a specification that no device can have."""
    for what, text in (("name", specification.name), ("version", specification.version)):
        if not 1 <= len(text) <= NAME_MAX:
            raise InvalidError(f"{what}: write 1 to {NAME_MAX} characters")
    for name, sensor in specification.sensors.items():
        _check_sensor(name, sensor)


def _check_sensor(name: str, sensor: SensorSpecification) -> None:
    place = f"sensors.{name}"
    if not 1 <= len(name) <= NAME_MAX:
        raise InvalidError(f"{place}: a name has 1 to {NAME_MAX} characters")
    if sensor.type.upper() not in SensorType.__members__:
        known = ", ".join(one.label for one in SensorType)
        raise InvalidError(f"{place}.type: {sensor.type!r} is not known; use one of {known}")
    if len(sensor.unit) > UNIT_MAX:
        raise InvalidError(f"{place}.unit: at most {UNIT_MAX} characters")
    if not sensor.min <= sensor.max:
        raise InvalidError(f"{place}: min {sensor.min:g} lies above max {sensor.max:g}")
    if not sensor.resolution >= 0:
        raise InvalidError(f"{place}.resolution: {sensor.resolution:g} is negative")
