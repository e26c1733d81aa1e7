"""What it costs to make the partitions of a span to come, and to drop the oldest, under load."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiosql
import asyncpg
import msgspec

from fleetsim.ledger.report import Sample
from fleetstorm.errors import InfrastructureError
from fleetstorm.metrics.storage.instants import to_datetime
from fleetstorm.results.storage import PartitionRoll

_queries: Any = aiosql.from_path(Path(__file__).with_name("tables.sql"), "asyncpg")
_AHEAD = timedelta(days=730)
"""The span to come lies so far ahead that nobody has made it yet."""
_SPARED = timedelta(days=2)
"""What ended so shortly before the load is what the standard queries ask about."""
_LOOK_EVERY_S = 0.005
_LOCK_TIMEOUT = "300ms"
"""As the platform's own: whoever reads or writes meanwhile is held up no longer."""
_ATTEMPTS_MAX = 20
_TIMEOUT_S = 60.0


class Roll:
    """One roll of partitions: `perform` at its time, `record` for every sample of the load.

    *waiting* → `perform` → *rolling* → *rolled*. The longest answers to devices are those of the
    samples before it began, and of those from then to the first one after its end.
    """

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s
        self._rolling = False
        self._over = False
        self._before_us: int | None = None
        self._during_us: int | None = None
        self._found: PartitionRoll | None = None

    def record(self, sample: Sample) -> None:
        """Take a sample of the load."""
        if self._over or not sample.service.count:
            return
        if not self._rolling:
            self._before_us = max(self._before_us or 0, sample.service.max)
            return
        self._during_us = max(self._during_us or 0, sample.service.max)
        self._over = self._found is not None

    async def perform(self, urls: Mapping[str, str], owner_url: str, now_us: int) -> None:
        """Make and drop; raises InfrastructureError where the table stays locked."""
        self._rolling = True
        worker = await asyncpg.connect(urls["iot_worker"], command_timeout=_TIMEOUT_S)
        owner = await asyncpg.connect(owner_url, command_timeout=_TIMEOUT_S)
        watcher = await asyncpg.connect(owner_url, command_timeout=_TIMEOUT_S)
        try:
            if await _queries.range_unit(owner) is not None:
                self._found = await _watched(worker, owner, watcher, now_us)
        finally:
            for connection in (worker, owner, watcher):
                await connection.close()

    def measured(self) -> PartitionRoll | None:
        """What it cost; None if it never came to it, or there is nothing to roll."""
        if self._found is None:
            return None
        return msgspec.structs.replace(
            self._found,
            request_ms_max=_ms(self._during_us),
            request_ms_max_before=_ms(self._before_us),
        )


async def _watched(worker: Any, owner: Any, watcher: Any, now_us: int) -> PartitionRoll:
    rolled = asyncio.Event()
    watching = asyncio.create_task(_longest_wait_ms(watcher, rolled))
    try:
        found = await _roll(worker, owner, now_us)
    finally:
        rolled.set()
        blocked_ms = await watching
    return msgspec.structs.replace(found, ingest_blocked_ms=blocked_ms)


async def _roll(worker: Any, owner: Any, now_us: int) -> PartitionRoll:
    now = to_datetime(now_us)
    types = await _queries.sensor_types(owner)
    leaves = await _queries.leaf_count(owner)
    began = time.perf_counter()
    for code in types or [None]:
        if not await _queries.ensure_partition(worker, measured=now + _AHEAD, sensor_type=code):
            raise InfrastructureError("the partitions of the next span could not be made")
    make_ms = (time.perf_counter() - began) * 1000
    made = await _queries.leaf_count(owner) - leaves
    oldest = await _queries.oldest_span(owner, before=now - _SPARED)
    drop_ms = await _drop(owner, oldest["name"]) if oldest else None
    return PartitionRoll(
        make_ms=make_ms,
        made=made,
        drop_ms=drop_ms,
        dropped_rows=oldest["row_count"] if oldest else None,
    )


async def _drop(owner: Any, name: str) -> float:
    """Milliseconds to detach and drop a span, from the first attempt on."""
    statement = await _queries.drop_statement(owner, name=name)
    began = time.perf_counter()
    for attempt in range(_ATTEMPTS_MAX):
        try:
            async with owner.transaction():
                await owner.execute(f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
                await owner.execute(statement)
            return (time.perf_counter() - began) * 1000
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(0.05 * attempt)
    raise InfrastructureError(f"{name} could not be detached: the table stays locked")


async def _longest_wait_ms(watcher: Any, rolled: asyncio.Event) -> float:
    """Looks every 5 ms at what ingest waits for; what is shorter may stay unseen."""
    longest_s = 0.0
    while not rolled.is_set():
        longest_s = max(longest_s, await _queries.ingest_waits_s(watcher) or 0.0)
        await asyncio.sleep(_LOOK_EVERY_S)
    return longest_s * 1000


def _ms(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
