"""The worker's side of retention: whether anything is due, and the process that does it.

Compression and hashing take a core for seconds, so they are done in a process of their own, which
yields to others and ends with the worker.
"""

import asyncio
import sys
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.errors import ArchiveError, SettingsError
from fleetplatform.settings import ArchiveSettings
from fleetplatform.timeseries.retention import files

_queries: Any = load(__file__)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is told on its standard input; secret. `url`: the worker's."""

    url: str
    archive: ArchiveSettings


class Keeper:
    """Has a pass made whenever one is due. Life: made → check() → run() again and again."""

    def __init__(self, pool: Pool, url: str, settings: ArchiveSettings) -> None:
        self._pool = pool
        self._job = Job(url=url, archive=settings)

    async def check(self) -> None:
        """See that the archive can be written, if anybody has one; raises SettingsError."""
        if not await _queries.has_archive_policies(self._pool):
            return
        folder = self._job.archive.folder
        if folder is None:
            raise SettingsError(
                "platform.archive.folder: organizations have policies that archive readings, so a"
                " folder is needed: give one"
            )
        try:
            await asyncio.to_thread(files.check_folder, Path(folder))
        except ArchiveError as error:
            raise SettingsError(str(error)) from None

    async def run(self) -> None:
        """One pass, if anything is due."""
        if await self._is_due():
            await self._sweep()

    async def _is_due(self) -> bool:
        if await _queries.has_unfinished(self._pool):
            return True
        state = await _queries.state(self._pool)
        if state["keep_days"] is None:
            return False
        day = state["today"] - timedelta(days=state["keep_days"])
        before = datetime.combine(day, time(), UTC)
        spans = [
            row async for row in _queries.spans(self._pool, before=before, seen=state["state"])
        ]
        return bool(spans)

    async def _sweep(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fleetplatform.timeseries.retention",
            stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(self._job) + b"\n")
            await process.stdin.drain()  # and left open: its end tells the process to end
            code = await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if code:
            raise ArchiveError(f"the retention process ended with code {code}; see the log")
