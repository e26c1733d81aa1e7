"""The clock: one law in SQL and in Python, set where it may be, followed by every process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest

from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.database import clock
from fleetplatform.database.clock import PlatformClock
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.errors import DatabaseError
from fleetplatform.settings import ClockSettings, PlatformSettings
from fleetplatform.wire.clock import REAL_TIME, ClockLaw, wall_now_us

OpenPool = Callable[[str], Awaitable[Pool]]
JUNE_US = 1_780_272_000_000_000


async def test_it_begins_as_real_time(pool_as: OpenPool) -> None:
    pool = await pool_as("iot_api")
    async with pool.acquire() as conn:
        assert await clock.read(conn) == (REAL_TIME, True)
        difference = await conn.fetchval(
            "select extract(epoch from iot.now() - statement_timestamp())"
        )
    assert abs(difference) <= 0.000002


@pytest.mark.parametrize("speed", [0.0, 1.0, 60.0, 0.25])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
async def test_sql_and_python_have_the_same_law(
    pool_as: OpenPool, speed: float, zone: str
) -> None:
    """Also over months and a change to summer time, in any time zone of a session."""
    law = ClockLaw(
        virtual_anchor_us=JUNE_US, wall_anchor_us=wall_now_us() - 300 * 86_400_000_000, speed=speed
    )
    pool = await pool_as("iot_api")
    async with pool.acquire() as conn:
        await clock.write(conn, law)
        assert await clock.read(conn) == (law, True)
        await conn.execute(f"set timezone = '{zone}'")
        row = await conn.fetchrow("select iot.now() as virtual, statement_timestamp() as wall")
    wall_us = round(row["wall"].timestamp() * 1e6)
    virtual_us = round(row["virtual"].timestamp() * 1e6)
    assert abs(law.virtual_us(wall_us) - virtual_us) <= 2


async def test_one_statement_has_one_time(pool_as: OpenPool) -> None:
    pool = await pool_as("iot_api")
    count = await pool.fetchval(
        "select count(distinct iot.now()) from generate_series(1, 10)"
        " where pg_sleep(0.001) is not null"
    )
    assert count == 1


async def test_a_process_follows_the_law(prepared: PreparedDatabase, pool_as: OpenPool) -> None:
    worker, api = await pool_as("iot_worker"), await pool_as("iot_api")
    follower = PlatformClock(worker, prepared.urls["iot_worker"])
    await follower.start()
    law = ClockLaw(virtual_anchor_us=JUNE_US, wall_anchor_us=wall_now_us(), speed=0.0)
    async with api.acquire() as conn:
        await clock.write(conn, law)
    deadline = time.monotonic() + 5
    while follower.law != law:
        assert time.monotonic() < deadline, "the process did not hear of the new law"
        await asyncio.sleep(0.01)
    assert follower.now_us() == JUNE_US
    assert follower.controllable
    await follower.close()


async def test_a_clock_that_may_not_be_set_is_not(
    database_url: str, platform_settings: PlatformSettings
) -> None:
    """Nor by calling it controllable at a later start."""
    fixed = msgspec.structs.replace(platform_settings, clock=ClockSettings(controllable=False))
    await prepare_database(database_url, fixed)
    prepared = await prepare_database(database_url, platform_settings)
    pool = await open_pool(prepared.urls["iot_api"], platform_settings.database, "iot_api")
    async with pool.acquire() as conn:
        with pytest.raises(DatabaseError, match="cannot be set"):
            await clock.write(conn, ClockLaw(JUNE_US, 0, 1.0))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("update iot.platform_clock set controllable = true")
        assert await clock.read(conn) == (REAL_TIME, False)
    await pool.close()


async def test_an_impossible_law_is_refused(owner: asyncpg.Connection) -> None:
    for speed in (-1.0, float("inf"), float("nan")):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute("update iot.platform_clock set speed = $1", speed)
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(
            "insert into iot.platform_clock values (true, $1, $1, 1, true)",
            datetime(2026, 1, 1, tzinfo=UTC),
        )
