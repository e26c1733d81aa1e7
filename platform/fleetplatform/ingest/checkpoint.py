"""The detector's state in the database, and its way back after a crash.

A checkpoint says through which `received_at` the state goes; rows received later are taken in when
it is built again. What is written, and how, is the detector's keeper's.
"""

import asyncio
import time
from typing import Any

import structlog

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load as load_queries
from fleetplatform.ingest.keepers import Keeper
from fleetplatform.timeseries.instants import EARLIEST, to_datetime, to_us

LANE = 0
REWIND_US = 60_000_000
"""A clock further behind the newest row than this was set back; less is only many batches."""

_log = structlog.get_logger()
_queries: Any = load_queries(__file__)


async def hold_lane(conn: Connection) -> None:
    """Wait until no other transaction stores for the lane, and keep others waiting.

    A batch that was given up may still be committing; state read meanwhile would miss its rows.
    """
    await _queries.hold_lane(conn, lane=LANE)


async def has_readings_before(conn: Connection, measured_us: int) -> bool:
    """Whether anything is stored that was measured before a virtual time."""
    measured = to_datetime(max(0, measured_us))
    found: bool = await _queries.has_readings_before(conn, measured=measured)
    return found


class Saver:
    """Writes checkpoints beside the batches: idle → saving (`begin`) → idle.

    A snapshot is a copy, taken between two batches, so no batch waits for its writing.
    """

    def __init__(self, keeper: Keeper, interval_s: float) -> None:
        self._keeper = keeper
        self._interval_s = interval_s
        self._last_s = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def begin(self, pool: Pool, received_us: int) -> None:
        """After the commit of a batch: save, if the interval has passed and nothing is saving."""
        idle = self._task is None or self._task.done()
        if idle and time.monotonic() - self._last_s >= self._interval_s:
            self._last_s = time.monotonic()
            self._task = asyncio.create_task(self._save(pool, received_us, self._keeper.take()))

    async def finish(self) -> None:
        """Wait until nothing is saving."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def save_now(self, pool: Pool, received_us: int) -> None:
        """Save whatever has moved; returns after commit, or when it has failed."""
        await self.finish()
        await self._save(pool, received_us, self._keeper.take())

    async def _save(self, pool: Pool, received_us: int, taken: Any) -> None:
        """Write what was taken after the batch received then, which is committed."""
        try:
            async with pool.acquire() as conn, conn.transaction():
                await self._keeper.write(conn, taken)
                through = to_datetime(received_us)
                await _queries.save_checkpoint(
                    conn, lane=LANE, detector=self._keeper.name, received_through=through
                )
        except Exception as error:  # the rows are stored: the next checkpoint holds this too
            _log.warning("no checkpoint", error=repr(error))
            self._keeper.put_back(taken)


async def load(conn: Connection, keeper: Keeper, now_us: int) -> int:
    """Fill the detector with what was stored before a virtual time.

    Returns the newest `received_at` of the rows that the detector knows: a checkpoint must not say
    less, or these rows would be taken in twice. A checkpoint from the future belongs to a time
    before the clock was set back: rows stored since then look older than it, so the rows alone
    are believed. So they are where the checkpoint is another detector's.
    """
    since_us = max(0, now_us - keeper.look_back_us)
    saved = await _queries.load_checkpoint(conn, lane=LANE)
    through_us = to_us(EARLIEST)
    if saved and saved["detector"] == keeper.name and to_us(saved["received_through"]) <= now_us:
        through_us = to_us(saved["received_through"])
        await keeper.load(conn, since_us)
    else:
        await keeper.forget(conn)
    newest_us = await keeper.follow(conn, through_us, since_us)
    return max(newest_us, through_us)
