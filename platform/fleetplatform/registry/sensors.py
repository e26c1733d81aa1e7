"""The sensors of devices: enrolled with their calibrations, listed, taken out of service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from msgspec import UNSET

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError, NotFoundError, StaleError
from fleetplatform.registry.curves import check_due, factors_of
from fleetplatform.registry.device_types import KnownType
from fleetplatform.registry.fields import instant_or_none
from fleetplatform.wire.device_type import SensorSpecification, SensorType
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice
from fleetplatform.wire.resources.sensors import Sensor, SensorChange, Sensors, SensorStatus

_FIRST_ID = UUID(int=0)
_LAST_ID = UUID(int=(1 << 128) - 1)
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
        intervals_s=[one.interval for _, _, one in specified],
        rates=[one.rate_max for _, _, one in specified],
        flat_after_s=[one.flat_after for _, _, one in specified],
        sensitive=[one.sensitive for _, _, one in specified],
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
    factors = [factors_of(one, f"sensor {one.sensor}: ") for _, one in found]
    await _queries.add_calibrations(
        conn,
        organization_id=organization,
        sensor_ids=[sensor for sensor, _ in found],
        multipliers=[one.multiplier for one in factors],
        offsets=[one.offset for one in factors],
        curves=[_array(one.higher) for one in factors],
        valid_from=[instant_or_none("valid_from_us", one.valid_from_us) for _, one in found],
        due=[instant_or_none("due_at_us", one.due_at_us) for _, one in found],
    )


def _array(numbers: Sequence[float] | None) -> str | None:
    """Numbers as PostgreSQL writes an array, exactly; arrays of arrays must be of one length."""
    return None if numbers is None else "{" + ",".join(map(repr, numbers)) + "}"


def _check(device: NewDevice, sensors: dict[str, UUID]) -> None:
    place = f"device {device.serial_number!r}"
    begins = [(one.sensor, one.valid_from_us) for one in device.calibrations]
    if len(set(begins)) < len(begins):
        raise InvalidError(f"{place}: two calibrations of one sensor begin at the same time")
    for one in device.calibrations:
        if one.sensor not in sensors:
            known = ", ".join(sensors) or "none"
            raise InvalidError(f"{place} has no sensor {one.sensor!r}; its sensors are {known}")
        check_due(one.valid_from_us, one.due_at_us)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which sensors are listed; None: any. `due_before`: their last calibration is due earlier."""

    device_id: UUID | None = None
    sensor_type: str | None = None
    sensor_status: SensorStatus | None = None
    due_before_us: int | None = None


async def listed(pool: Pool, tenant: Tenant, filters: Filters, page: Page) -> Sensors:
    """A page of the sensors that somebody sees; raises InvalidError for an unknown type."""
    try:
        code = None if filters.sensor_type is None else int(SensorType.of(filters.sensor_type))
    except KeyError:
        known = ", ".join(one.label for one in SensorType)
        message = f"type: there is no sensor type {filters.sensor_type!r}, only {known}"
        raise InvalidError(message) from None
    async with transaction(pool, tenant) as conn:
        found = [
            _view(row)
            async for row in _queries.list_sensors(
                conn,
                device_id=filters.device_id,
                sensor_type=code,
                sensor_status=filters.sensor_status,
                due_before=instant_or_none("calibration_due_before", filters.due_before_us),
                descending=page.descending,
                after_id=page.after_id or (_LAST_ID if page.descending else _FIRST_ID),
                count=page.limit + 1,
            )
        ]
    shown, cursor = cut(found, page, lambda one: ("", one.sensor_id))
    return Sensors(sensors=shown, next_cursor=cursor)


async def read(pool: Pool, tenant: Tenant, sensor: UUID) -> Sensor:
    """One sensor; raises NotFoundError for one that is not seen."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.read_sensor(conn, sensor_id=sensor)
    if row is None:
        raise no_sensor()
    return _view(row)


async def change(
    pool: Pool, tenant: Tenant, sensor: UUID, new: SensorChange, expected: int | None
) -> Sensor:
    """A sensor with another status; raises NotFoundError, and StaleError by its revision."""
    async with transaction(pool, tenant) as conn:
        revision = await _queries.lock_sensor(
            conn, organization_id=tenant.organization, sensor_id=sensor
        )
        if revision is None:
            raise no_sensor()
        if expected is not None and revision != expected:
            raise StaleError("the sensor was changed since it was read: read it again")
        if new.status is not UNSET:
            await _queries.set_sensor_status(
                conn,
                organization_id=tenant.organization,
                sensor_id=sensor,
                sensor_status=new.status,
            )
        return _view(await _queries.read_sensor(conn, sensor_id=sensor))


def no_sensor() -> NotFoundError:
    """What is said of every sensor that is not there for somebody."""
    return NotFoundError("the organization has no such sensor")


def _view(row: Any) -> Sensor:
    return Sensor(
        sensor_id=row["sensor_id"],
        organization_id=row["organization_id"],
        device_id=row["device_id"],
        name=row["name"],
        sensor_type=SensorType(row["sensor_type"]).label,
        unit=row["unit"],
        value_min=row["value_min"],
        value_max=row["value_max"],
        resolution=row["resolution"],
        interval_s=row["interval_s"],
        rate_max=row["rate_max"],
        flat_after_s=row["flat_after_s"],
        sensitive=row["sensitive"],
        sensor_status=row["sensor_status"],
        revision=row["revision"],
    )


async def of_device(conn: Connection, organization: UUID, device: UUID) -> dict[str, UUID]:
    """The sensors of a device by name, in the order of its type."""
    return {
        row["name"]: row["sensor_id"]
        async for row in _queries.sensors_of(conn, organization_id=organization, device_id=device)
    }
