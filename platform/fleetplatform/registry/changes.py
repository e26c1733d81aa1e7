"""What changed in the registry since a revision, read in one snapshot as columns."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fleetplatform.database import packed
from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.registry.calibrations import HIGHER_MAX
from fleetplatform.registry.identifiers import Halves, split

_queries: Any = load(__file__)

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Devices:
    """n devices: ids in halves; `type_ids` are the types that occur, `type_at` says which."""

    high: Halves
    low: Halves
    organization_high: Halves
    organization_low: Halves
    gateway_high: Halves
    gateway_low: Halves
    type_ids: list[UUID]
    type_at: NDArray[np.intp]
    active: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sensors:
    """n sensors, those of one device side by side.

    rate_max is infinite and flat_after_us the greatest number where that is not judged.
    """

    high: Halves
    low: Halves
    device_high: Halves
    device_low: Halves
    sensor_type: NDArray[np.int16]
    value_min: NDArray[np.float64]
    value_max: NDArray[np.float64]
    interval_us: NDArray[np.int64]
    rate_max: NDArray[np.float64]
    flat_after_us: NDArray[np.int64]
    active: NDArray[np.bool_]
    sensitive: NDArray[np.bool_]
    names: list[str]
    units: list[str]


@dataclass(frozen=True, slots=True)
class NewCalibrations:
    """n calibrations, the oldest revision first."""

    sensor_high: Halves
    sensor_low: Halves
    from_us: NDArray[np.int64]
    due_us: NDArray[np.int64]
    multiplier: NDArray[np.float64]
    offset: NDArray[np.float64]
    higher: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Credentials:
    """n tokens by their SHA-256; each is good until a time of the wall clock, or NEVER_US."""

    digests: list[bytes]
    device_high: Halves
    device_low: Halves
    good_until_us: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything newer than a revision, up to `revision`."""

    revision: int
    device_types: list[tuple[UUID, str]]
    devices: Devices
    sensors: Sensors
    calibrations: NewCalibrations
    credentials: Credentials
    alert_rules: list[Any]
    quotas: list[Any]
    processing_rules: list[Any]


async def read(pool: Pool, seen: int) -> Changes | None:
    """What is newer than a revision; None when no newer one was ever given out."""
    async with (
        pool.acquire() as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        if await _queries.latest_revision(conn) <= seen:
            return None
        types = [row async for row in _queries.changed_device_types(conn, seen=seen)]
        rules = [row async for row in _queries.changed_alert_rules(conn, seen=seen)]
        quotas = [row async for row in _queries.changed_quotas(conn, seen=seen)]
        processing = [row async for row in _queries.changed_processing_rules(conn, seen=seen)]
        devices = await _queries.changed_devices(conn, seen=seen)
        sensors = await _queries.changed_sensors(conn, seen=seen)
        calibrations = await _queries.changed_calibrations(conn, seen=seen)
        credentials = await _queries.changed_credentials(conn, seen=seen)
    columns = (devices, sensors, calibrations, credentials)
    rows = (*types, *rules, *quotas, *processing, *columns)
    return Changes(
        revision=max([seen, *(row["revision"] for row in rows)]),
        device_types=[(row["device_type_id"], row["name"]) for row in types],
        devices=_devices(devices),
        sensors=_sensors(sensors),
        calibrations=_calibrations(calibrations),
        credentials=_credentials(credentials),
        alert_rules=rules,
        quotas=quotas,
        processing_rules=processing,
    )


def _devices(row: Any) -> Devices:
    high, low = split(row["ids"])
    organization_high, organization_low = split(row["organizations"])
    gateway_high, gateway_low = split(row["gateways"])
    types, type_at = np.unique(_column(row["types"], "V16"), return_inverse=True)
    return Devices(
        high=high,
        low=low,
        organization_high=organization_high,
        organization_low=organization_low,
        gateway_high=gateway_high,
        gateway_low=gateway_low,
        type_ids=[UUID(bytes=one.tobytes()) for one in types],
        type_at=type_at,
        active=_column(row["active"], "?"),
    )


def _sensors(row: Any) -> Sensors:
    high, low = split(row["ids"])
    device_high, device_low = split(row["devices"])
    return Sensors(
        high=high,
        low=low,
        device_high=device_high,
        device_low=device_low,
        sensor_type=_column(row["types"], ">i2").astype(np.int16),
        value_min=packed.floats(row["minima"]),
        value_max=packed.floats(row["maxima"]),
        interval_us=_column(row["intervals_us"], ">i8").astype(np.int64),
        rate_max=packed.floats(row["rates"]),
        flat_after_us=_column(row["flat_after_us"], ">i8").astype(np.int64),
        active=_column(row["active"], "?"),
        sensitive=_column(row["sensitive"], "?"),
        names=row["names"],
        units=row["units"],
    )


def _calibrations(row: Any) -> NewCalibrations:
    high, low = split(row["sensors"])
    return NewCalibrations(
        sensor_high=high,
        sensor_low=low,
        from_us=packed.times_us(row["valid_from"]),
        due_us=packed.times_us(row["due"]),
        multiplier=packed.floats(row["multipliers"]),
        offset=packed.floats(row["offsets"]),
        higher=packed.floats(row["higher"]).reshape(-1, HIGHER_MAX),
    )


def _credentials(row: Any) -> Credentials:
    digests: bytes = row["digests"]
    high, low = split(row["devices"])
    starts = range(0, len(digests), _DIGEST_BYTES)
    return Credentials(
        digests=[digests[start : start + _DIGEST_BYTES] for start in starts],
        device_high=high,
        device_low=low,
        good_until_us=packed.times_us(row["good_until"]),
    )


def _column(column: bytes, kind: str) -> Any:
    return np.frombuffer(column, dtype=kind)
