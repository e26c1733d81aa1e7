"""The right to store readings: one process of a database has it, for two would keep two states."""

import asyncio
from typing import Any

import asyncpg
import structlog

from fleetplatform.database.address import reach, server_of
from fleetplatform.database.queries import load
from fleetplatform.errors import DatabaseError

TAKE_TIMEOUT_S = 5.0
"""So long a start waits for a predecessor that is just ending."""
RETRY_S = 0.5
CONNECT_TIMEOUT_S = 10.0

_queries: Any = load(__file__)
_log = structlog.get_logger()


class Lane:
    """A lock of a session of its own, which PostgreSQL lets go of when the process dies.

    Life: made → take() → held … → close(). A session that is lost is made again; `taken` counts
    how often it was, for state that was built before may have been overtaken by another process.
    """

    def __init__(self, url: str, lane: int = 0) -> None:
        self._url = url
        self._lane = lane
        self._conn: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self.taken = 0

    @property
    def held(self) -> bool:
        """Whether this process may store."""
        return self._conn is not None

    async def take(self) -> None:
        """Get the lane and keep it; raises DatabaseError where another process has it."""
        try:
            async with asyncio.timeout(TAKE_TIMEOUT_S):
                while not await self._try():  # noqa: ASYNC110 - a lock tells nobody it is free
                    await asyncio.sleep(RETRY_S)
        except TimeoutError:
            raise DatabaseError(
                f"another process takes readings for the database at {server_of(self._url)}: stop"
                " it first, or start this one without the role ingest"
            ) from None
        self._task = asyncio.create_task(self._keep(), name="lane")

    async def close(self) -> None:
        """Let another process have it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    async def _try(self) -> bool:
        async with reach(self._url):
            conn = await asyncpg.connect(
                self._url,
                timeout=CONNECT_TIMEOUT_S,
                server_settings={"application_name": "fleetstorm lane"},
            )
        try:
            if await _queries.take_lane(conn, lane=self._lane):
                self._conn = conn
                self.taken += 1
        finally:
            if self._conn is not conn:
                conn.terminate()
        return self._conn is conn

    async def _keep(self) -> None:
        """Take the lane again whenever its session ends."""
        while True:
            await self._ended()
            self._conn = None
            _log.warning("lane lost with its session")
            while not self.held:
                await asyncio.sleep(RETRY_S)
                try:
                    if not await self._try():
                        _log.error("another process takes readings for this database")
                except (OSError, TimeoutError, DatabaseError, asyncpg.PostgresError,
                        asyncpg.InterfaceError) as error:
                    _log.info("lane not taken", reason=str(error))

    async def _ended(self) -> None:
        ended = asyncio.Event()
        conn = self._conn
        if conn is not None and not conn.is_closed():
            conn.add_termination_listener(lambda _: ended.set())
            await ended.wait()
