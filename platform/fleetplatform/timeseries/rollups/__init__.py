"""Each sensor's closed hours in few numbers, kept by the worker.

Only hours in which something was received are made, and they are made anew from their readings: so
a late reading, a second look or a worker that was killed in between can make nothing wrong.
"""

from datetime import timedelta
from typing import Any

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.timeseries.instants import to_datetime

COMMITTED_WITHIN = timedelta(seconds=60)
"""A reading that was received so long ago by the wall clock is there, if it ever will be."""

_queries: Any = load(__file__)


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
    """Aggregate every touched hour that is over, each in a transaction; how many rows were made."""
    closed_before = to_datetime(now_us)
    found = _queries.closed_hours(pool, closed_before=closed_before)
    hours = [row["hour_start"] async for row in found]
    made = 0
    for hour in hours:
        async with pool.acquire() as conn, conn.transaction():
            await _queries.wait_for_recalibration(conn)
            made += await _queries.make_hour(conn, hour=hour)
    return made


async def refresh(pool: Pool, now_us: int, speed: float = 1.0) -> int:
    """Bring the aggregates up to date as of a virtual time; how many rows were made."""
    await note_touched(pool, now_us, speed)
    return await make_closed(pool, now_us)
