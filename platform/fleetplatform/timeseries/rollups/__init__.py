"""Each sensor's closed hours in few numbers, kept by the worker.

Only hours in which something was received are made, and they are made anew from their readings: so
a late reading, a second look or a worker that was killed in between can make nothing wrong.
"""

from datetime import datetime
from typing import Any

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.timeseries.instants import to_datetime

COMMITTED_WITHIN_US = 60_000_000
"""A reading that was received so long ago is there, if it ever will be."""

_queries: Any = load(__file__)


async def note_touched(pool: Pool, now_us: int) -> None:
    """Write down the hours of whatever was received since the last time, in one transaction.

    Readings that were received later than now are from before the clock was set back: others will
    be received before them, so they are looked at again until the clock has passed them.
    """
    async with pool.acquire() as conn, conn.transaction():
        await _queries.begin_progress(conn)
        before = await _queries.take_progress(conn)
        after = before["received_after"]
        newest: datetime | None = await _queries.newest_received(conn, received_after=after)
        if newest is not None:
            await _queries.note_hours(conn, received_after=after, received_through=newest)
        through = after if newest is None else newest
        if through > to_datetime(now_us):
            through = max(after, to_datetime(now_us - COMMITTED_WITHIN_US))
        await _queries.save_progress(
            conn,
            received_through=through,
            virtual_anchor=before["virtual_anchor"],
            wall_anchor=before["wall_anchor"],
        )


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


async def refresh(pool: Pool, now_us: int) -> int:
    """Bring the aggregates up to date as of a virtual time; how many rows were made."""
    await note_touched(pool, now_us)
    return await make_closed(pool, now_us)
