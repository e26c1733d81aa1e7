"""Waking a process when the database has news: LISTEN, coalesced, and again after a failure."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import structlog

RETRY_S = 0.5
CHECK_S = 5.0
CONNECT_TIMEOUT_S = 10.0

_log = structlog.get_logger()


class Listener:
    """Calls `callback` after notifications on a channel; many that come while it runs make one.

    It is also called after each connect and every CHECK_S, for a notification may be lost with
    its connection. What it raises is logged and tried again. Life: made → start() → close().
    """

    def __init__(
        self, url: str, channel: str, callback: Callable[[], Awaitable[object]]
    ) -> None:
        self._url = url
        self._channel = channel
        self._callback = callback
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to listen; returns at once, connected or not."""
        self._tasks = [
            asyncio.create_task(self._listen(), name=f"listen {self._channel}"),
            asyncio.create_task(self._call(), name=f"call on {self._channel}"),
        ]

    async def close(self) -> None:
        """Listen no longer; a callback that runs is cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.info("not listening", channel=self._channel, reason=str(error))
            await asyncio.sleep(RETRY_S)

    async def _listen_once(self) -> None:
        """Listen until the connection ends."""
        ended = asyncio.Event()
        conn = await asyncpg.connect(
            self._url,
            timeout=CONNECT_TIMEOUT_S,
            server_settings={"application_name": f"fleetstorm listen {self._channel}"},
        )
        try:
            conn.add_termination_listener(lambda _: ended.set())
            await conn.add_listener(self._channel, self._hear)
            self._news.set()
            await ended.wait()
        finally:
            conn.terminate()

    def _hear(self, *_: Any) -> None:
        self._news.set()

    async def _call(self) -> None:
        while True:
            try:
                async with asyncio.timeout(CHECK_S):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            try:
                await self._callback()
            except Exception as error:  # the listener must outlive whatever a callback brings
                _log.warning("callback failed", channel=self._channel, error=repr(error))
                await asyncio.sleep(RETRY_S)
                self._news.set()
