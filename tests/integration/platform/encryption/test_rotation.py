"""From one key to another while readings come in: nothing is lost, nothing stays with the old."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from fleetconf.units import parse
from fleetplatform.database.pool import open_pool
from fleetplatform.settings import EncryptionKeys
from fleetplatform.timeseries.sensitive.rotation import rotate

MakeBench = Callable[..., Awaitable[Any]]
OLD_KEY, NEW_KEY = bytes(range(32)), bytes(range(32, 64))
OLD = EncryptionKeys(active="old", keys={"old": OLD_KEY})
BOTH = EncryptionKeys(active="new", keys={"old": OLD_KEY, "new": NEW_KEY})
NEW = EncryptionKeys(active="new", keys={"new": NEW_KEY})
START_US = int(parse("2026-06-30T20:00:00Z", "instant") or 0)
READ = """
select v.sent_value
from iot.sensor_data as d
cross join lateral iot.decrypt_sensor_value(
    value_encrypted, sensor_id, measurement_timestamp, $1, $2
) as v
"""
COUNT = """
select convert_from(substring(value_encrypted from 3 for 3), 'UTF8') as id, count(*)
from iot.sensor_data group by 1
"""


async def _values(bench: Any, keys: EncryptionKeys) -> list[float]:
    return sorted(row["sent_value"] for row in await bench.fetch(READ, keys.ids, keys.secrets))


def _readings(first: int, count: int) -> list[tuple[int, int, float]]:
    """One a minute, over the end of a month, so that several partitions hold them."""
    return [(n % 3, START_US + n * 60_000_000, float(n)) for n in range(first, first + count)]


async def _worker(bench: Any, make_settings: Any) -> Any:
    settings = make_settings()
    url = bench.urls["iot_worker"]
    return await open_pool(url, settings.database, "iot_worker")


async def test_a_rotation_under_writes(make_engine_bench: MakeBench, make_settings: Any) -> None:
    bench = await make_engine_bench()
    await bench.fetch("update iot.sensors set sensitive = true")
    engine = await bench.engine("stream", START_US, OLD)
    await bench.store(engine, _readings(0, 600), START_US)
    pool = await _worker(bench, make_settings)
    engine = await bench.engine("stream", START_US, BOTH)
    assert await _values(bench, BOTH) == [float(n) for n in range(600)]

    async def write() -> None:
        for batch in range(10):
            await bench.store(engine, _readings(600 + 30 * batch, 30), START_US + batch + 1)

    found, _ = await asyncio.gather(rotate(pool, BOTH, 50), write())
    assert (found.changed, found.unreadable) == (600, 0)
    assert await _values(bench, NEW) == [float(n) for n in range(900)]
    assert {row["id"] for row in await bench.fetch(COUNT)} == {"new"}
    assert (await rotate(pool, BOTH, 50)).changed == 0
    (state,) = await bench.fetch("select key_id, readings_changed from iot.key_rotations")
    assert state == {"key_id": "new", "readings_changed": 600}
    await pool.close()


async def test_a_rotation_that_was_cut_short_goes_on_where_it_stood(
    make_engine_bench: MakeBench, make_settings: Any
) -> None:
    bench = await make_engine_bench()
    await bench.fetch("update iot.sensors set sensitive = true")
    await bench.store(await bench.engine("stream", START_US, OLD), _readings(0, 90), START_US)
    pool = await _worker(bench, make_settings)
    piece = "select * from iot.rotate_keys('new', 20, $1, $2)"
    for _ in range(2):
        row = await pool.fetchrow(piece, BOTH.ids, BOTH.secrets)
        assert (row["seen"], row["changed"], row["finished"]) == (20, 20, False)
    assert await _values(bench, BOTH) == [float(n) for n in range(90)]
    found = await rotate(pool, BOTH, 20)
    assert (found.seen, found.changed) == (50, 50)
    assert await _values(bench, NEW) == [float(n) for n in range(90)]
    with pytest.raises(asyncpg.UndefinedObjectError, match='key "new", which is not among'):
        await _values(bench, OLD)
    await pool.close()


async def test_what_no_key_opens_stays_and_is_counted(
    make_engine_bench: MakeBench, make_settings: Any
) -> None:
    bench = await make_engine_bench()
    await bench.fetch("update iot.sensors set sensitive = true")
    await bench.store(await bench.engine("stream", START_US, OLD), _readings(0, 9), START_US)
    await bench.fetch(
        "update iot.sensor_data set value_encrypted = set_byte(value_encrypted, 30,"
        " get_byte(value_encrypted, 30) # 1) where measurement_timestamp = to_timestamp($1)",
        START_US / 1e6,
    )
    pool = await _worker(bench, make_settings)
    found = await rotate(pool, BOTH, 100)
    assert (found.seen, found.changed, found.unreadable) == (9, 8, 1)
    assert {row["id"]: row["count"] for row in await bench.fetch(COUNT)} == {"old": 1, "new": 8}
    await pool.close()
