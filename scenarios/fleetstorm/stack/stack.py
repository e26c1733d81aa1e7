"""Everything that one run started, under one roof."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType

from fleetstorm.stack.cluster import start_cluster, stop_cluster
from fleetstorm.stack.guard import Guard
from fleetstorm.stack.postgres import PostgresServer, start_postgres
from fleetstorm.stack.services import Service, start_service
from fleetstorm.stack.supervisor import OnEvent, Part, Supervisor

# A server that loses its driver ends at once, but not in no time.
_REMOVE = 'for attempt in 1 2 3 4 5; do rm -rf "$1" && exit; sleep 1; done'


class Stack:
    """The processes of a run, and its private folder: both are gone when the run has ended.

    Used as an asynchronous context manager. `logs` is the folder that keeps the logs of all parts.
    With `keep` the database stays up, and its folder with it. Parts are stopped the last one
    first, Ray before all others, for its shards talk to them.

    With `below`, a stack that several runs share, PostgreSQL and Ray are those of that one: they
    are used here, and neither started nor stopped.
    """

    def __init__(
        self,
        logs: Path,
        on_event: OnEvent | None = None,
        *,
        keep: bool = False,
        below: Stack | None = None,
    ) -> None:
        self.logs = logs
        self.keep = keep
        self.below = below
        self._on_event = on_event
        self.supervisor = Supervisor(self._tell)
        self.postgres: PostgresServer | None = None
        self.services: list[Service] = []
        self.folder = Path()
        self._cluster: asyncio.Future[None] | None = None
        self._guard: Guard | None = None
        self._afterwards: list[Callable[[], Awaitable[None]]] = []

    async def __aenter__(self) -> Stack:
        """Make the private folder; nothing runs yet.

        Others may pass through it, because PostgreSQL may run as another user, but not list it.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="fleetstorm-", dir=_disk()))
        self.folder.chmod(0o711)
        if not self.keep:
            self._guard = Guard(_REMOVE, str(self.folder))
        if self.below is not None:
            self.below._on_event = self._on_event
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every part and remove the private folder."""
        try:
            await self.stop_cluster()
        finally:
            await self._stop_parts()
            if self.below is not None:
                self.below._on_event = None
            if self._guard is not None:
                self._guard.dismiss()

    def part(self, name: str) -> Part:
        """The handle on a part: kill, pause, resume, restart; UsageError if there is none."""
        own = {part.name for part in self.supervisor.parts}
        if self.below is not None and name not in own:
            return self.below.part(name)
        return self.supervisor.part(name)

    def afterwards(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` when this stack's own parts have stopped, while a stack below still runs."""
        self._afterwards.append(work)

    async def start_postgres(
        self, *, port: int = 0, settings: Mapping[str, str] = MappingProxyType({})
    ) -> PostgresServer:
        """Start the embedded server as part `postgres`; raises InfrastructureError."""
        if self.below is not None:
            self.postgres = self.below.postgres or await self.below.start_postgres()
            return self.postgres
        log = self.logs / "postgres.log"
        folder = self.folder / "postgres"
        folder.mkdir(mode=0o711, exist_ok=True)
        self.postgres = await start_postgres(
            self.supervisor, folder, port=port, settings=settings, log_path=log
        )
        return self.postgres

    async def start_service(self, role: str, settings: bytes, *, host: str, port: int) -> Service:
        """Start a service of the platform, as a part named like its role."""
        folder = self.folder / "services"
        folder.mkdir(mode=0o700, exist_ok=True)
        log = self.logs / f"{role}.log"
        service = await start_service(
            self.supervisor, role, settings, host=host, port=port, folder=folder, log_path=log
        )
        self.services.append(service)
        return service

    async def start_cluster(self, address: str | None = None, num_cpus: int | None = None) -> None:
        """Start or join Ray, beside whatever else is being started; raises InfrastructureError.

        Ray's first processes are bound to the thread that starts them, so it stays in one of the
        event loop's, which ends with the loop.
        """
        if self.below is not None:
            if self.below._cluster is None:
                await self.below.start_cluster(address, num_cpus)
            else:
                await asyncio.shield(self.below._cluster)
            return
        self._cluster = asyncio.ensure_future(asyncio.to_thread(start_cluster, address, num_cpus))
        await asyncio.shield(self._cluster)

    async def stop_cluster(self) -> None:
        """Leave Ray, waiting for a start that is still under way; nothing when it never began."""
        if self._cluster is None:
            return
        await asyncio.wait({self._cluster})
        self._cluster = None
        await asyncio.to_thread(stop_cluster, self.logs / "ray")

    async def _stop_parts(self) -> None:
        try:
            try:
                await self.supervisor.stop()
            finally:
                for work in self._afterwards:
                    await work()
            if self.keep and self.postgres:
                await self.postgres.leave_running()
        finally:
            if not self.keep:
                if self.postgres and self.below is None:
                    await self.postgres.discard()
                await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def _tell(self, name: str, what: str, detail: str) -> None:
        if self._on_event is not None:
            self._on_event(name, what, detail)


def _disk() -> str:
    """Where temporary folders lie on a disk: /tmp may be memory, where fsync means nothing."""
    if configured := os.environ.get("TMPDIR"):
        return configured
    persistent = "/var/tmp"  # noqa: S108 - mkdtemp makes a private folder in it
    return persistent if os.access(persistent, os.W_OK) else tempfile.gettempdir()
