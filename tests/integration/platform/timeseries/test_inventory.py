"""What is told of partitions, held against PostgreSQL's own extension, which reads every page."""

import time
from collections.abc import Awaitable, Callable

import asyncpg
import numpy as np
import pytest

from fleetplatform import timeseries
from fleetplatform.batch import Rows
from fleetplatform.database.pool import Pool
from fleetplatform.timeseries import inventory
from fleetplatform.timeseries.partitions import Partitions

MakeRows = Callable[..., Rows]
OpenPool = Callable[[str], Awaitable[Pool]]

JUNE = "sensor_data_2026_06_type_1"


async def test_bloat_is_near_what_the_pages_say(
    pool_as: OpenPool, owner: asyncpg.Connection, make_rows: MakeRows
) -> None:
    pool, rows = await pool_as("iot_ingest"), make_rows(20_000)
    await Partitions().ensure(pool, rows.measured_us, rows.sensor_type)
    await timeseries.write(pool, rows)
    await owner.execute("create extension pgstattuple")
    assert (await _june(owner)).bloat_share is None
    for share, modulus in ((0.0, 0), (0.5, 2)):
        if modulus:
            await owner.execute(
                f"delete from iot.{JUNE} where"
                f" extract(epoch from measurement_timestamp)::bigint % {modulus} = 0"
            )
        await owner.execute(f"vacuum analyze iot.{JUNE}")
        told = (await _june(owner)).bloat_share
        free = await owner.fetchval(
            f"select approx_free_percent / 100 from pgstattuple_approx('iot.{JUNE}')"
        )
        assert told == pytest.approx(free, abs=0.03)
        assert told == pytest.approx(share, abs=0.05)


async def _june(owner: asyncpg.Connection) -> inventory.PartitionInfo:
    (found,) = [part for part in await inventory.partitions(owner) if part.name == JUNE]
    return found


async def test_hundreds_of_partitions_are_told_at_once(
    owner: asyncpg.Connection,
) -> None:
    await owner.fetch(
        "select iot.ensure_partition(make_timestamptz(2000 + n / 12, n % 12 + 1, 1, 0, 0, 0),"
        " 1::int2)"
        " from generate_series(0, 119) as n"
    )
    began = time.perf_counter()
    parts = await inventory.partitions(owner)
    assert len(parts) == 241
    assert time.perf_counter() - began < 5
    assert np.all(np.diff([part.age.days for part in parts if part.age]) <= 0)
