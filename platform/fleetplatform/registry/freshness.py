"""Keeps the directory fresh: on every change of the registry, and whenever somebody asks."""

import asyncio
import time

from fleetplatform.database.pool import Pool
from fleetplatform.database.wake import Listener
from fleetplatform.registry.directory import Directory

CHANNEL = "iot_registry"
PAUSE_S = 0.1
"""Between two refreshes at least, so that nobody who asks can hammer the database."""


class Freshness:
    """Life: made → start() → catch_up() … → close(). `loaded` says that the directory is filled."""

    def __init__(self, directory: Directory, pool: Pool, url: str) -> None:
        self._directory = directory
        self._pool = pool
        self._lock = asyncio.Lock()
        self._begun = 0
        self._ended = 0
        self._began_s = -PAUSE_S
        self._error: Exception | None = None
        self._listener = Listener(url, CHANNEL, self.catch_up)
        self.loaded = False

    async def start(self) -> None:
        """Fill the directory and keep it fresh from now on; raises what the database raises."""
        await self.catch_up()
        self.loaded = True
        await self._listener.start()

    async def catch_up(self) -> None:
        """Return when a refresh that began after this call has ended; raises its error.

        However many ask at once, at most two refreshes are made for them.
        """
        wanted = self._begun + 1
        async with self._lock:
            if self._ended < wanted:
                await self._refresh()
            error = self._error
        if error is not None:
            raise error

    async def _refresh(self) -> None:
        await asyncio.sleep(max(0.0, self._began_s + PAUSE_S - time.monotonic()))
        self._began_s = time.monotonic()
        self._begun += 1
        self._error = None
        try:
            await self._directory.refresh(self._pool)
        except Exception as error:  # whatever the database raises, all who wait must hear it
            self._error = error
        self._ended = self._begun

    async def close(self) -> None:
        """Follow the registry no longer."""
        await self._listener.close()
