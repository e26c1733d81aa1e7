"""What a sensitive reading costs beside one in clear: in the database, in the table, in a batch."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import numpy as np
import pytest

from fleetconf.units import parse
from fleetplatform.settings import EncryptionKeys

pytestmark = pytest.mark.bench
KEYS = EncryptionKeys(active="k1", keys={"k1": bytes(range(32))})
START_US = int(parse("2026-06-10T00:00:00Z", "instant") or 0)
SENSORS, SECONDS, BATCHES = 200, 50, 6
CALLS = 50_000
ENCRYPT = """
select count(iot.encrypt_sensor_value(g, g, null, id, at, 'k1', $1))
from generate_series(1, $2::int) as g, (values (uuidv7(), now())) as v (id, at)
"""
SEAL = ENCRYPT.replace("iot.encrypt_sensor_value", "iot_private.seal_value")
DECRYPT = """
with sealed as materialized (
    select iot_private.seal_value(g, g, null, id, at, 'k1', $1) as bytes, id, at
    from generate_series(1, $2::int) as g, (values (uuidv7(), now())) as v (id, at)
), began as materialized (select count(*), clock_timestamp() as at from sealed)
select extract(epoch from clock_timestamp() - (select at from began)) + 0 * count(
    (iot.decrypt_sensor_value(bytes, id, sealed.at, '{k1}', array[$1])).sensor_value
) from sealed, began
"""


async def test_microseconds_a_value(make_engine_bench: Callable[..., Awaitable[Any]]) -> None:
    bench = await make_engine_bench()
    conn = await asyncpg.connect(bench.owner_url)
    for name, query in (("encrypt_sensor_value", ENCRYPT), ("in a set", SEAL)):
        began = time.perf_counter()
        await conn.fetchval(query, KEYS.active_key, CALLS)
        print(f"\n{name}: {(time.perf_counter() - began) / CALLS * 1e6:.2f} µs a value", end="")
    took_s = float(await conn.fetchval(DECRYPT, KEYS.active_key, CALLS))
    print(f"\ndecrypt_sensor_value: {took_s / CALLS * 1e6:.2f} µs a value")
    await conn.close()


async def test_readings_a_second(make_engine_bench: Callable[..., Awaitable[Any]]) -> None:
    """The same batches with no, a tenth and all of the sensors sensitive."""
    bench = await make_engine_bench(SENSORS)
    for share in (0.0, 0.1, 1.0):
        await bench.fetch(
            "update iot.sensors set sensitive = n <= $1::float8 * $2::float8"
            " from (select sensor_id, row_number() over (order by sensor_id) as n"
            " from iot.sensors) as o where o.sensor_id = sensors.sensor_id",
            share, float(SENSORS),
        )  # fmt: skip
        engine = await bench.engine("stream", START_US, KEYS)
        count, took_s = await _store(bench, engine)
        (size,) = await bench.fetch(
            "select sum(pg_table_size(relid)) / $1::int as bytes"
            " from pg_partition_tree('iot.sensor_data')", count,
        )  # fmt: skip
        print(
            f"\n{share:.0%} sensitive: {count / took_s:,.0f} readings/s,"
            f" {took_s / count * 1e6:.1f} µs and {size['bytes']:.0f} bytes of table a reading",
            end="",
        )
        await bench.fetch("truncate iot.sensor_data, iot.sensor_hourly_sums,"
                          " iot.detector_checkpoints")  # fmt: skip


async def _store(bench: Any, engine: Any) -> tuple[int, float]:
    sensor = np.repeat(np.arange(SENSORS, dtype=np.int32), SECONDS)
    rng = np.random.default_rng(1)
    began = time.perf_counter()
    for batch in range(BATCHES):
        t_us = START_US + 1_000_000 * np.tile(np.arange(SECONDS) + batch * SECONDS, SENSORS)
        values = rng.normal(20, 1, len(sensor))
        await bench.store_columns(engine, sensor, t_us, values, START_US + batch)
        if not batch:
            began = time.perf_counter()
    return len(sensor) * (BATCHES - 1), time.perf_counter() - began
