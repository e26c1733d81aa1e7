"""The sensors of devices and their calibrations."""

import math
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import InvalidError
from fleetplatform.registry.device_types import KnownType
from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.wire.device_type import SensorSpecification, SensorType
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice

_queries: Any = load(__file__)


async def add(
    conn: Connection,
    organization: UUID,
    device_ids: Sequence[UUID],
    types: Sequence[KnownType],
    sensor_ids: Sequence[Sequence[UUID]],
) -> None:
    """Make the sensors of some devices, as the type of each specifies them."""
    first: dict[tuple[UUID, str], int] = {}
    specified: list[tuple[str, int, SensorSpecification]] = []
    for one in types:
        if one.key not in first:
            first[one.key] = len(specified) + 1
            specified += [(name, at, s) for at, (name, s) in enumerate(one.sensors.items())]
    starts = [first[one.key] for one in types]
    await _queries.add_sensors(
        conn,
        organization_id=organization,
        sensor_ids=[sensor for ids in sensor_ids for sensor in ids],
        device_ids=[d for d, ids in zip(device_ids, sensor_ids, strict=True) for _ in ids],
        specification_at=[
            at
            for start, ids in zip(starts, sensor_ids, strict=True)
            for at in range(start, start + len(ids))
        ],
        names=[name for name, _, _ in specified],
        positions=[position for _, position, _ in specified],
        types=[int(SensorType.of(one.type)) for _, _, one in specified],
        units=[one.unit for _, _, one in specified],
        minima=[one.min for _, _, one in specified],
        maxima=[one.max for _, _, one in specified],
        resolutions=[one.resolution for _, _, one in specified],
    )


async def calibrate(
    conn: Connection,
    organization: UUID,
    devices: Sequence[NewDevice],
    types: Sequence[KnownType],
    sensor_ids: Sequence[Sequence[UUID]],
) -> None:
    """Enter the calibrations that came with some devices; raises InvalidError."""
    found: list[tuple[UUID, NewCalibration]] = []
    for device, known, ids in zip(devices, types, sensor_ids, strict=True):
        if device.calibrations:
            by_name = dict(zip(known.sensors, ids, strict=True))
            _check(device, by_name)
            found += [(by_name[one.sensor], one) for one in device.calibrations]
    if not found:
        return
    await _queries.add_calibrations(
        conn,
        organization_id=organization,
        sensor_ids=[sensor for sensor, _ in found],
        multipliers=[one.multiplier for _, one in found],
        offsets=[one.offset for _, one in found],
        valid_from=[
            None if one.valid_from_us is None else to_datetime(one.valid_from_us)
            for _, one in found
        ],
    )


def _check(device: NewDevice, sensors: dict[str, UUID]) -> None:
    place = f"device {device.serial_number!r}"
    begins = [(one.sensor, one.valid_from_us) for one in device.calibrations]
    if len(set(begins)) < len(begins):
        raise InvalidError(f"{place}: two calibrations of one sensor begin at the same time")
    for one in device.calibrations:
        if one.sensor not in sensors:
            known = ", ".join(sensors) or "none"
            raise InvalidError(f"{place} has no sensor {one.sensor!r}; its sensors are {known}")
        if not math.isfinite(one.multiplier) or one.multiplier == 0:
            raise InvalidError(f"{place}, sensor {one.sensor}: the multiplier must not be zero")


async def of_device(conn: Connection, organization: UUID, device: UUID) -> dict[str, UUID]:
    """The sensors of a device by name, in the order of its type."""
    return {
        row["name"]: row["sensor_id"]
        async for row in _queries.sensors_of(conn, organization_id=organization, device_id=device)
    }
