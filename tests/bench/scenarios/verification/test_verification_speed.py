"""How long the court takes for ten million rows, and how much memory."""

import resource
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np
import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import prepare_database
from fleetplatform.settings import PlatformSettings
from fleetsim.ledger.digest import hash_onto, sensor_hash
from fleetsim.ledger.report import LedgerReport, Readings
from fleetstorm.verification.readings import verify_readings

SENSORS, ROWS, PIECE = 25_000, 10_000_000, 100_000
JUNE_US = 1_780_272_000_000_000
POSTGRES_EPOCH_US = 946_684_800_000_000
TENANT = UUID(int=0x019_0000_0000_7000_8000_0000_0000_0001)
MULTIPLIER, OFFSET = 1.01, 0.3

# Field count, then each field with its size before it, as PostgreSQL's binary COPY has it.
COLUMNS = {
    "measurement_timestamp": ">i8",
    "received_at": ">i8",
    "measurement_value": ">f8",
    "raw_value": ">f8",
    "sensor_id": "V16",
    "device_id": "V16",
    "organization_id": "V16",
    "sensor_type": ">i2",
    "data_quality": ">i2",
    "is_anomaly": ">i1",
}
ROW = np.dtype(
    [("fields", ">i2")]
    + [pair for n, t in COLUMNS.items() for pair in ((f"{n}_size", ">i4"), (n, t))]
)
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


class Fleet:
    """Sensors, and pieces of their readings made from a seed, as often as asked."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        self.high = np.full(SENSORS, 0x0190_0000_0000_7000, dtype=np.uint64)
        self.low = rng.integers(1 << 63, (1 << 64) - 1, SENSORS, dtype=np.uint64)
        self.ids = [
            UUID(int=h << 64 | low)
            for h, low in zip(self.high.tolist(), self.low.tolist(), strict=True)
        ]
        self.count = np.zeros(SENSORS, dtype=np.int64)
        self.hash = np.zeros(SENSORS, dtype=np.uint64)

    def pieces(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for piece in range(ROWS // PIECE):
            number = np.arange(PIECE) + piece * PIECE
            sensor, tick = number % SENSORS, number // SENSORS
            raw = np.random.default_rng([7, piece]).normal(20, 5, PIECE).round(2)
            yield sensor, JUNE_US + tick * 250_000 + sensor % 1000, raw

    async def copy(self) -> AsyncIterator[bytes]:
        """All readings as a binary COPY; the books are kept on the way."""
        hashes = sensor_hash(self.high, self.low)
        ids = np.array([i.bytes for i in self.ids], dtype="V16")
        yield b"PGCOPY\n\xff\r\n\x00" + bytes(8)
        for sensor, t_us, raw in self.pieces():
            np.add.at(self.count, sensor, 1)
            np.add.at(self.hash, sensor, hash_onto(hashes[sensor], t_us, raw))
            yield rows(ids[sensor], t_us, raw).tobytes()
        yield b"\xff\xff"

    def ledger(self) -> LedgerReport:
        nothing = np.zeros(SENSORS, dtype=np.int64)
        return LedgerReport(
            sensor_high=self.high,
            sensor_low=self.low,
            device_ordinal=np.arange(SENSORS),
            sensor_ordinal=nothing,
            sensor_name=["temperature"] * SENSORS,
            serial=[f"run-d{i + 1}" for i in range(SENSORS)],
            emitted=self.count,
            acknowledged=self.count,
            buffered=nothing,
            indeterminate=nothing,
            acknowledged_hash=self.hash,
            multiplier=np.full(SENSORS, MULTIPLIER),
            offset=np.full(SENSORS, OFFSET),
        )

    async def witness(self, sensors: np.ndarray) -> Readings:
        parts = []
        for sensor, t_us, raw in self.pieces():
            chosen = np.isin(sensor, sensors)
            parts.append((sensor[chosen], t_us[chosen], raw[chosen]))
        sensor, t_us, raw = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Readings(sensor, t_us, raw, np.zeros(len(sensor), dtype=np.int8))


def rows(ids: np.ndarray, t_us: np.ndarray, raw: np.ndarray) -> np.ndarray:
    packed = np.zeros(len(raw), dtype=ROW)
    packed["fields"] = len(COLUMNS)
    values = {
        "measurement_timestamp": t_us - POSTGRES_EPOCH_US,
        "received_at": t_us - POSTGRES_EPOCH_US,
        "measurement_value": raw * MULTIPLIER + OFFSET,
        "raw_value": raw,
        "sensor_id": ids,
        "device_id": ids,
        "organization_id": np.void(TENANT.bytes),
        "sensor_type": 1,
    }
    for name in COLUMNS:
        packed[f"{name}_size"] = ROW[name].itemsize
        if name in values:
            packed[name] = values[name]
    return packed


def settings() -> PlatformSettings:
    folder = Path(fleetconf.__file__).parent
    tree, layout, engine = (
        yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))
        for name in ("platform/default", "layout/monthly_list", "engine/stream")
    )
    return convert(tree | {"layout": layout, "engine": engine}, PlatformSettings)


@pytest.mark.bench
async def test_ten_million_readings_are_verified(database_url: str) -> None:
    """The bar is 15 s on two cores; one row deleted, one inserted, one changed are named."""
    prepared = await prepare_database(database_url, settings())
    conn = await asyncpg.connect(prepared.owner_url)
    fleet = Fleet()
    await conn.execute(ENROL, TENANT, fleet.ids)
    at = np.datetime64(JUNE_US, "us").item()
    await conn.execute(
        "select iot.ensure_partition($1::timestamp at time zone 'UTC', 1::smallint)", at
    )
    began = time.perf_counter()
    await conn.copy_to_table(
        "sensor_data", schema_name="iot", source=fleet.copy(), columns=list(COLUMNS),
        format="binary",
    )  # fmt: skip
    print(f"\nfilled with {ROWS:,} rows in {time.perf_counter() - began:.1f} s")
    ledger = fleet.ledger()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for pass_number in (1, 2):
        began = time.perf_counter()
        verdict = await verify_readings(prepared.owner_url, [TENANT], ledger, fleet.witness)
        took = time.perf_counter() - began
        print(f"verified, pass {pass_number}: {took:.1f} s, {ROWS / took:,.0f} rows/s")
        assert (verdict.stored, verdict.lost, verdict.altered, verdict.unexpected) == (
            ROWS,
            0,
            0,
            0,
        )
        assert (verdict.orphans, verdict.calibrated_wrong) == (0, 0)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    print(f"memory beyond what it had before: {grown_kb / 1024:.0f} MiB")

    for sensor, statement in enumerate(
        (
            "delete from iot.sensor_data where sensor_id = $1 and measurement_timestamp = $2",
            "update iot.sensor_data set raw_value = raw_value + 0.01 where sensor_id = $1"
            " and measurement_timestamp = $2",
            "insert into iot.sensor_data select (jsonb_populate_record(row, jsonb_build_object("
            "'measurement_timestamp', $2::timestamptz + interval '1 us'))).*"
            " from iot.sensor_data as row where sensor_id = $1 and measurement_timestamp = $2",
        )
    ):
        t = await conn.fetchval(
            "select timestamptz 'epoch' + $1::bigint * interval '1 us'", JUNE_US + sensor
        )
        await conn.execute(statement, fleet.ids[sensor], t)
    began = time.perf_counter()
    verdict = await verify_readings(prepared.owner_url, [TENANT], ledger, fleet.witness)
    print(f"with three wrong rows among them: {time.perf_counter() - began:.1f} s")
    for example in verdict.examples:
        print(f"  {example.what}: {example.serial} at {example.t}")
    assert (verdict.lost, verdict.altered, verdict.unexpected) == (1, 1, 1)
    await conn.close()
