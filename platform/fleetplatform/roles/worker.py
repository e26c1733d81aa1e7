"""The role worker: the platform's jobs, in one list."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from fleetplatform.registry import idempotency, reprocessing
from fleetplatform.roles.part import DATABASE_ROLES, App, Shared
from fleetplatform.settings import EncryptionKeys
from fleetplatform.timeseries import partitions, rollups
from fleetplatform.timeseries.retention.keeper import Keeper
from fleetplatform.timeseries.sensitive import rotation

ROLE = "worker"

_log = structlog.get_logger()


class WorkerRole:
    """Runs each job again and again; a job that fails is tried at its next turn."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.routes: dict[str, App] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin all jobs; raises SettingsError where one could not do its work."""
        settings = self._shared.settings.platform.worker
        keeper = self._keeper()
        await keeper.check()
        jobs: list[tuple[str, float, Callable[[], Awaitable[object]]]] = [
            ("partitions", settings.partition_interval, self._make_partitions),
            ("rollups", settings.rollup_interval, self._make_rollups),
            ("reprocessing", settings.reprocess_interval, self._reprocess),
            ("retention", settings.retention_interval, keeper.run),
            ("idempotency keys", settings.idempotency_interval, self._expire_idempotency_keys),
        ]
        keys = self._shared.settings.encryption
        if keys is not None and len(keys.keys) > 1:
            rotation_s = self._shared.settings.platform.worker.rotation_interval
            jobs.append(("key rotation", rotation_s, Rotation(self._shared, keys).run))
        self._tasks = [
            asyncio.create_task(_repeat(name, interval, job), name=name)
            for name, interval, job in jobs
        ]

    def _keeper(self) -> Keeper:
        settings = self._shared.settings
        url = settings.database_urls[DATABASE_ROLES[ROLE]]
        return Keeper(self._shared.pools[ROLE], url, settings.platform.archive)

    async def _make_partitions(self) -> None:
        await partitions.make_ahead(
            self._shared.pools[ROLE],
            self._shared.clock.now_us(),
            self._shared.settings.platform.layout,
        )

    async def _make_rollups(self) -> None:
        clock = self._shared.clock
        await rollups.refresh(self._shared.pools[ROLE], clock.now_us(), clock.law.speed)

    async def _reprocess(self) -> None:
        settings, pool = self._shared.settings.platform.worker, self._shared.pools[ROLE]
        while await reprocessing.advance(pool, settings.reprocess_rows, settings.reprocess_settle):
            pass

    async def _expire_idempotency_keys(self) -> None:
        kept_s = self._shared.settings.platform.registry.idempotency_kept
        await idempotency.expire(self._shared.pools[ROLE], kept_s)

    def is_ready(self) -> bool:
        """Whether the jobs run."""
        return bool(self._tasks)

    async def drain(self) -> None:
        """Jobs can be stopped at any time."""

    async def close(self) -> None:
        """Stop the jobs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Rotation:
    """Passes over readings of sensitive sensors, until one begun here finds no old key.

    A pass that an earlier process left off is ended first.
    """

    def __init__(self, shared: Shared, keys: EncryptionKeys) -> None:
        self._shared = shared
        self._keys = keys
        self._passes = 0
        self._done = False

    async def run(self) -> None:
        """One pass, unless there is nothing left to do."""
        if self._done:
            return
        rows_max = self._shared.settings.platform.worker.rotation_rows
        found = await rotation.rotate(self._shared.pools[ROLE], self._keys, rows_max)
        self._passes += 1
        self._done = found.changed == 0 and self._passes > 1
        _log.info(
            "keys rotated", active=self._keys.active, seen=found.seen, changed=found.changed,
            unreadable=found.unreadable, done=self._done,
        )  # fmt: skip


async def _repeat(name: str, interval_s: float, job: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await job()
        except Exception as error:  # the others must go on, and this one has its next turn
            _log.warning("job failed", job=name, error=repr(error))
        await asyncio.sleep(interval_s)
