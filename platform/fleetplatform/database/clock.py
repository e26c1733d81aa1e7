"""The platform's clock: its law in the database, and a copy of it in each process."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.wake import Listener
from fleetplatform.errors import DatabaseError
from fleetplatform.wire.clock import REAL_TIME, ClockLaw

CHANNEL = "iot_clock"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_queries: Any = load(__file__)


async def read(conn: Connection) -> tuple[ClockLaw, bool]:
    """The law, and whether it may be changed."""
    row = await _queries.read_clock(conn)
    if row is None:
        raise DatabaseError("the database has no clock: prepare it with fleetstorm")
    law = ClockLaw(
        virtual_anchor_us=(row["virtual_anchor"] - _EPOCH) // _MICROSECOND,
        wall_anchor_us=(row["wall_anchor"] - _EPOCH) // _MICROSECOND,
        speed=row["speed"],
    )
    return law, row["controllable"]


async def write(conn: Connection, law: ClockLaw) -> None:
    """Change the law and tell every process; raises DatabaseError if it may not be changed."""
    changed = await _queries.write_clock(
        conn,
        virtual_anchor=_EPOCH + law.virtual_anchor_us * _MICROSECOND,
        wall_anchor=_EPOCH + law.wall_anchor_us * _MICROSECOND,
        speed=law.speed,
        channel=CHANNEL,
    )
    if not changed:
        raise DatabaseError(
            "the clock of this database cannot be set: it was created with"
            " platform.clock.controllable=false"
        )


async def create(conn: Connection, controllable: bool) -> None:
    """The clock's row, as real time, unless it is there; by the owner."""
    await _queries.create_clock(conn, controllable=controllable)


class PlatformClock:
    """Virtual time in one process; follows the law in the database.

    Life: made → start() → close(). Before start() it is real time.
    """

    def __init__(self, pool: Pool, url: str) -> None:
        self._pool = pool
        self._law = REAL_TIME
        self._controllable = False
        self._listener = Listener(url, CHANNEL, self.refresh)

    @property
    def law(self) -> ClockLaw:
        """The law as last read."""
        return self._law

    @property
    def controllable(self) -> bool:
        """Whether the law may be changed, as last read."""
        return self._controllable

    def now_us(self) -> int:
        """Virtual time now, µs since 1970."""
        return self._law.now_us()

    async def start(self) -> None:
        """Read the law and follow it from now on."""
        await self.refresh()
        await self._listener.start()

    async def refresh(self) -> None:
        """Read the law again."""
        async with self._pool.acquire() as conn:
            self._law, self._controllable = await read(conn)

    async def close(self) -> None:
        """Follow the law no longer."""
        await self._listener.close()
