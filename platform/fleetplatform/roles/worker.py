"""The role worker: the platform's jobs, in one list."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from fleetplatform.roles.part import App, Shared
from fleetplatform.timeseries import partitions, rollups

ROLE = "worker"

_log = structlog.get_logger()


class WorkerRole:
    """Runs each job again and again; a job that fails is tried at its next turn."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.routes: dict[str, App] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin all jobs."""
        settings = self._shared.settings.platform.worker
        jobs: list[tuple[str, float, Callable[[], Awaitable[object]]]] = [
            ("partitions", settings.partition_interval, self._make_partitions),
            ("rollups", settings.rollup_interval, self._make_rollups),
        ]
        self._tasks = [
            asyncio.create_task(_repeat(name, interval, job), name=name)
            for name, interval, job in jobs
        ]

    async def _make_partitions(self) -> None:
        await partitions.make_ahead(
            self._shared.pools[ROLE],
            self._shared.clock.now_us(),
            self._shared.settings.platform.layout,
        )

    async def _make_rollups(self) -> None:
        await rollups.refresh(self._shared.pools[ROLE], self._shared.clock.now_us())

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


async def _repeat(name: str, interval_s: float, job: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await job()
        except Exception as error:  # the others must go on, and this one has its next turn
            _log.warning("job failed", job=name, error=repr(error))
        await asyncio.sleep(interval_s)
