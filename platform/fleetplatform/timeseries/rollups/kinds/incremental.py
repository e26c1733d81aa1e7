"""A table of which only the hours are made anew in which something was received.

They are made anew from their readings: so a late reading, a second look or a worker that was
killed in between can make nothing wrong. An hour outlives its readings.
"""

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.timeseries import rollups
from fleetplatform.timeseries.instants import to_datetime

COMMITTED_WITHIN = timedelta(seconds=60)
"""A reading that was received so long ago by the wall clock is there, if it ever will be."""
WHOLE_SHARE = 8
"""One sensor in so many touched: then reading the whole hour costs no more than picking theirs."""

_log = structlog.get_logger()
_queries: Any = load(rollups.__file__)


async def refresh(pool: Pool, now_us: int, speed: float) -> int:
    """Bring the table up to date as of a virtual time; how many rows were made."""
    await note_touched(pool, now_us, speed)
    return await make_closed(pool, now_us)


async def note_touched(pool: Pool, now_us: int, speed: float = 1.0) -> None:
    """Write down the hours that ended, and those for which something came late, in one transaction.

    now_us: virtual time, of which a second of the wall clock has `speed`. What came of late is
    noted more than once, until it is older than COMMITTED_WITHIN.
    """
    now = to_datetime(now_us)
    async with pool.acquire() as conn, conn.transaction():
        await _queries.begin_progress(conn)
        await _queries.read_by_index(conn)
        await _queries.note_hours(conn, now=now)
        await _queries.save_progress(conn, now=now, margin=COMMITTED_WITHIN * max(1.0, speed))


async def make_closed(pool: Pool, now_us: int) -> int:
    """Aggregate every touched hour that is over, each in a transaction; how many rows were made.

    An hour that cannot be made is left to the next time, and holds up no other.
    """
    found = _queries.closed_hours(pool, closed_before=to_datetime(now_us))
    hours = [(row["hour_start"], row["sensor_count"]) async for row in found]
    if not hours:
        return 0
    sensors = await _queries.sensor_count(pool)
    made = 0
    for hour, touched in hours:
        try:
            made += await _make(pool, hour, whole=touched * WHOLE_SHARE > sensors)
        except asyncpg.PostgresConnectionError:
            raise
        except asyncpg.PostgresError as error:
            _log.warning("hour not aggregated", hour=str(hour), error=repr(error))
    return made


async def _make(pool: Pool, hour: datetime, *, whole: bool) -> int:
    async with pool.acquire() as conn, conn.transaction():
        await _queries.wait_for_recalibration(conn)
        if whole:
            made: int = await _queries.make_hour(conn, hour=hour)
        else:
            await _queries.keep_to_key(conn)
            made = await _queries.make_touched(conn, hour=hour)
    return made
