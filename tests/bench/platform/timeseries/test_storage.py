"""What storing costs: readings a second through `write`, and bytes a reading for each index."""

import time
from collections.abc import Callable

import asyncpg
import numpy as np
import pytest

from fleetplatform import timeseries
from fleetplatform.admin import prepare_database
from fleetplatform.batch import Rows
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries.copy import pack
from fleetplatform.timeseries.partitions import Partitions

SENSORS = 25_000
READINGS_PER_SENSOR = 240
JUNE_US = 1_780_272_000_000_000
BYTES_MAX = 185

pytestmark = pytest.mark.bench


def _batch(second: int, calibrated: bool) -> Rows:
    """One reading of each sensor; ids in the order of enrolment, as UUIDv7 are."""
    number = np.arange(SENSORS, dtype=np.uint64)
    nothing = np.full(SENSORS, np.nan)
    value = np.random.default_rng(second).normal(20, 3, SENSORS)
    return Rows(
        sensor=number.astype(np.int32),
        sensor_high=np.uint64(0x0199_AAAA_0000_7000) + number * np.uint64(16),
        sensor_low=number,
        device_high=number,
        device_low=number,
        organization_high=np.ones(SENSORS, dtype=np.uint64),
        organization_low=np.ones(SENSORS, dtype=np.uint64),
        sensor_type=np.ones(SENSORS, dtype=np.int16),
        measured_us=JUNE_US + second * 1_000_000 + number.astype(np.int64),
        value=value,
        raw=value + 1 if calibrated else nothing,
        quality=np.zeros(SENSORS, dtype=np.int16),
        is_anomaly=np.zeros(SENSORS, dtype=np.bool_),
        score=nothing,
        metadata=None,
        received_us=JUNE_US + second * 1_000_000,
    )


@pytest.mark.parametrize("calibrated", [False, True])
async def test_readings_a_second_and_bytes_a_reading(
    database_url: str, make_settings: Callable[[], PlatformSettings], calibrated: bool
) -> None:
    prepared = await prepare_database(database_url, make_settings())
    first = _batch(0, calibrated)
    async with asyncpg.create_pool(prepared.urls["iot_ingest"], min_size=0) as pool:
        await Partitions().ensure(pool, first.measured_us, first.sensor_type)
        storing_s = packing_s = 0.0
        for second in range(READINGS_PER_SENSOR):
            rows = _batch(second, calibrated)
            began = time.perf_counter()
            pack(rows)
            packed = time.perf_counter()
            await timeseries.write(pool, rows)
            storing_s += time.perf_counter() - packed
            packing_s += packed - began
    count = SENSORS * READINGS_PER_SENSOR
    sizes = await _bytes_a_reading(prepared.owner_url, count)
    print(f"\ncalibrated={calibrated}: {count / storing_s:,.0f} readings/s on one connection,")
    print(f"packing {packing_s / count * 1e6:.2f} µs a reading; bytes a reading:")
    for name, size in sizes.items():
        print(f"  {size:7.2f}  {name}")
    print(f"  {sum(sizes.values()):7.2f}  in all")
    if not calibrated:
        assert sum(sizes.values()) <= BYTES_MAX


async def _bytes_a_reading(url: str, count: int) -> dict[str, float]:
    owner = await asyncpg.connect(url)
    rows = await owner.fetch(
        "select relname, pg_table_size(oid) as size from pg_class"
        " where relname like 'sensor_data%' and relkind in ('r', 'i') order by size desc"
    )
    await owner.close()
    return {row["relname"]: row["size"] / count for row in rows}
