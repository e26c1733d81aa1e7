"""A prepared database with one organization, and books whose readings it holds."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import prepare_database
from fleetplatform.settings import PlatformSettings
from fleetsim.ledger.digest import reading_hash
from fleetsim.ledger.report import Disposition, LedgerReport, Readings
from fleetstorm.verification.readings import ReadingsVerdict, verify_readings

SENSORS, TICKS = 100, 60
JUNE_US = 1_780_272_000_000_000
"""2026-06-01T00:00:00Z."""
TENANT = UUID(int=0x019_0000_0000_7000_8000_0000_0000_0001)

ENROL = """
with organization as (
    insert into iot.organizations (organization_id, name) values ($1, 'run')
), type as (
    insert into iot.device_types (name, version) values ('thermometer', '1')
    returning device_type_id
), version as (
    insert into iot.device_type_versions (device_type_id, version, specification)
    select device_type_id, '1', '{}' from type
), given as (
    select sensor_id, number from unnest($2::uuid[]) with ordinality as g (sensor_id, number)
), device as (
    insert into iot.devices
        (organization_id, device_id, device_type_id, serial_number, device_status,
         device_type_version, hardware_revision)
    select $1, sensor_id, device_type_id, 'run-d' || number, 'active', '1', '1' from given, type
)
insert into iot.sensors (organization_id, sensor_id, device_id, name, position, sensor_type, unit,
                         value_min, value_max, resolution, sampling_interval)
select $1, sensor_id, sensor_id, 'temperature', 0, 1, '°C', -40, 85, 0.01, interval '10 s'
from given
"""
STORE = """
insert into iot.sensor_data (organization_id, sensor_id, device_id, sensor_type,
    measurement_timestamp, received_at, measurement_value, raw_value, data_quality, is_anomaly)
select $1, sensor_id, sensor_id, 1, t, t, value, raw, 0, false
from unnest($2::uuid[], $3::timestamptz[], $4::float8[], $5::float8[])
    as g (sensor_id, t, value, raw)
"""


def settings(layout: str = "monthly_list") -> PlatformSettings:
    """The shipped settings of the platform, with a layout."""
    folder = Path(fleetconf.__file__).parent
    tree, kept, engine = (
        yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))
        for name in ("platform/default", f"layout/{layout}", "engine/stream")
    )
    return convert(tree | {"layout": kept, "engine": engine}, PlatformSettings)


@dataclass
class Case:
    """A run that has ended: its books, every reading it emitted, and the database."""

    url: str
    conn: Any
    ledger: LedgerReport
    readings: Readings
    asked: list[int] = field(default_factory=list)

    def sensor_id(self, sensor: int) -> UUID:
        return UUID(
            int=int(self.ledger.sensor_high[sensor]) << 64 | int(self.ledger.sensor_low[sensor])
        )

    async def witness(self, sensors: np.ndarray) -> Readings:
        self.asked += sensors.tolist()
        chosen = np.isin(self.readings.sensor, sensors)
        r = self.readings
        return Readings(r.sensor[chosen], r.t_us[chosen], r.raw[chosen], r.disposition[chosen])

    def settle(self) -> None:
        """Bring the books in line with the ends of the readings."""
        settle(self.ledger, self.readings)

    async def verify(self) -> ReadingsVerdict:
        return await verify_readings(self.url, [TENANT], self.ledger, self.witness)

    async def change(self, statement: str, sensor: int, tick: int, *args: Any) -> None:
        """Run a statement about the row of one reading ($1 sensor, $2 time)."""
        at = await self.conn.fetchval(
            "select timestamptz 'epoch' + $1::bigint * interval '1 us'",
            JUNE_US + tick * 1_000_000 + sensor,
        )
        done = await self.conn.execute(statement, self.sensor_id(sensor), at, *args)
        assert done.endswith(" 1")

    async def store(self, readings: Readings) -> None:
        """Store readings as a platform does that has no fault."""
        s = readings.sensor
        raw = readings.raw
        multiplier, offset = self.ledger.multiplier[s], self.ledger.offset[s]
        changed = (multiplier != 1) | (offset != 0)
        times = [np.datetime64(t, "us").item().replace(tzinfo=UTC) for t in readings.t_us.tolist()]
        await self.conn.execute(
            STORE,
            TENANT,
            [self.sensor_id(i) for i in s.tolist()],
            times,
            np.where(changed, raw * multiplier + offset, raw).tolist(),
            [r if c else None for r, c in zip(raw.tolist(), changed.tolist(), strict=True)],
        )


def make_readings() -> Readings:
    """An hour of a hundred sensors, one reading a minute; all acknowledged."""
    sensor = np.repeat(np.arange(SENSORS), TICKS)
    t_us = JUNE_US + np.tile(np.arange(TICKS) * 1_000_000, SENSORS) + sensor
    raw = np.random.default_rng(11).normal(20, 5, len(sensor)).round(2)
    return Readings(sensor, t_us, raw, np.full(len(sensor), Disposition.ACKNOWLEDGED, np.int8))


def make_ledger(readings: Readings) -> LedgerReport:
    """Books of the readings; even sensors are calibrated, odd ones send what is in force."""
    ledger = LedgerReport(
        sensor_high=np.full(SENSORS, 0x0190_0000_0000_7000, dtype=np.uint64),
        sensor_low=np.arange(SENSORS, dtype=np.uint64) + np.uint64(1 << 63),
        device_ordinal=np.arange(SENSORS),
        sensor_ordinal=np.zeros(SENSORS, dtype=np.int64),
        sensor_name=["temperature"] * SENSORS,
        serial=[f"run-d{i + 1}" for i in range(SENSORS)],
        emitted=np.bincount(readings.sensor, minlength=SENSORS),
        acknowledged=np.zeros(SENSORS, dtype=np.int64),
        buffered=np.zeros(SENSORS, dtype=np.int64),
        indeterminate=np.zeros(SENSORS, dtype=np.int64),
        acknowledged_hash=np.zeros(SENSORS, dtype=np.uint64),
        multiplier=np.where(np.arange(SENSORS) % 2, 1.0, 1.01),
        offset=np.where(np.arange(SENSORS) % 2, 0.0, 0.3),
    )
    settle(ledger, readings)
    return ledger


def settle(ledger: LedgerReport, readings: Readings) -> None:
    """Bring the books in line with the ends of the readings."""
    for name, end in (
        ("acknowledged", Disposition.ACKNOWLEDGED),
        ("indeterminate", Disposition.INDETERMINATE),
        ("buffered", Disposition.BUFFERED),
    ):
        chosen = readings.sensor[readings.disposition == end]
        setattr(ledger, name, np.bincount(chosen, minlength=SENSORS))
    sent = readings.disposition == Disposition.ACKNOWLEDGED
    s = readings.sensor[sent]
    ledger.acknowledged_hash[:] = 0
    hashes = reading_hash(
        ledger.sensor_high[s], ledger.sensor_low[s], readings.t_us[sent], readings.raw[sent]
    )
    np.add.at(ledger.acknowledged_hash, s, hashes)


@pytest.fixture
async def case(database_url: str) -> AsyncIterator[Case]:
    """A run whose every reading is stored as it was sent."""
    prepared = await prepare_database(database_url, settings())
    conn = await asyncpg.connect(prepared.owner_url)
    readings = make_readings()
    case = Case(prepared.owner_url, conn, make_ledger(readings), readings)
    await conn.execute(ENROL, TENANT, [case.sensor_id(i) for i in range(SENSORS)])
    await case.store(readings)
    yield case
    await conn.close()
