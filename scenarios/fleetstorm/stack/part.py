"""A process of the run while it runs: the handle by which the driver breaks it and mends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable

import psutil

from fleetstorm.errors import InfrastructureError, PartDiedError
from fleetstorm.stack.guard import Guard
from fleetstorm.stack.process import Process, log_size_bytes, log_tail, spawn

OnEvent = Callable[[str, str, str], None]
"""Told of everything that happens to a part: its name, what happened, and a detail to log.

What happened is one of started, died, restarted, restart_failed, given_up, killed, paused,
resumed, stopped.
"""

RESTARTS_MAX = 5
RESTARTS_WINDOW_S = 60.0
_BACKOFF_FIRST_S = 0.05
_BACKOFF_MAX_S = 2.0
_READY_POLL_S = 0.02
_TRANSIENT_POLL_S = 0.1


class Part:
    """A handle on one supervised process.

    *starting* until its ready check says yes, then *ready*. When it ends untold it is *down*; with
    `restart` it then starts again, at most RESTARTS_MAX deaths of its own in RESTARTS_WINDOW_S
    (deaths by `kill` are not counted), after which it is *given up*. `stop` makes it *stopped*;
    `restart` leads from any state back to ready.
    """

    def __init__(self, process: Process, on_event: OnEvent) -> None:
        self.process = process
        self._on_event = on_event
        self._child: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._given_up = False
        self._told_to_die = False
        self._deaths: deque[float] = deque(maxlen=RESTARTS_MAX + 1)
        self._guard: Guard | None = None

    @property
    def name(self) -> str:
        """The name it is addressed by in a scenario."""
        return self.process.name

    @property
    def pid(self) -> int | None:
        """Its process id; None while it is down."""
        return self._child.pid if self._child and self._child.returncode is None else None

    @property
    def alive(self) -> bool:
        """Whether the process exists; it may still be starting, or be paused."""
        return self.pid is not None

    @property
    def ready(self) -> bool:
        """Whether it passed its ready check and has not ended since."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Start it and wait until it is ready; raises InfrastructureError."""
        await self._launch()
        self._on_event(self.name, "started", f"pid {self.pid}")
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")

    async def kill(self) -> int:
        """SIGKILL to it and all its descendants; gives the pid, which is gone when this returns."""
        child = self._running("kill")
        self._told_to_die = True
        self._ready.clear()
        _kill_all(_family(child.pid))
        self._end_pause()
        await child.wait()
        self._on_event(self.name, "killed", f"pid {child.pid}")
        return child.pid

    async def pause(self) -> int:
        """SIGSTOP to it and all its descendants, until `resume`; gives the pid."""
        child = self._running("pause")
        os.kill(child.pid, signal.SIGSTOP)  # first, so that it makes no more children
        family = _family(child.pid)
        self._start_pause(family)
        for member in family[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.suspend()
        self._on_event(self.name, "paused", f"pid {child.pid} and {len(family) - 1} below it")
        return child.pid

    async def resume(self) -> None:
        """SIGCONT to it and all its descendants."""
        child = self._running("resume")
        _continue_all(_family(child.pid))
        self._end_pause()
        self._on_event(self.name, "resumed", f"pid {child.pid}")

    async def restart(self) -> None:
        """Stop it, if it runs, and start it again; raises InfrastructureError."""
        await self.stop()
        self._given_up = False
        self._deaths.clear()
        await self.start()

    async def stop(self) -> None:
        """Ask it to stop, kill it if it has not within its `stop_timeout_s`; nothing is left."""
        if self._watcher:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None
        await self._end()

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until it is ready again; raises InfrastructureError when it is not in time."""
        deadline = time.monotonic() + timeout_s
        while not (self.ready or self._given_up) and time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), _BACKOFF_FIRST_S)
        if not self.ready:
            raise InfrastructureError(
                f"{self.name} was not back within {timeout_s:g} s (log: {self.process.log_path})"
            )

    async def _launch(self) -> None:
        """Spawn and wait for readiness, again while the log names a transient reason."""
        deadline = time.monotonic() + self.process.ready_timeout_s
        while True:
            since_bytes = log_size_bytes(self.process.log_path)
            self._child = await spawn(self.process)
            try:
                await self._await_ready(self._child, deadline, since_bytes)
            except PartDiedError as error:
                passing = any(text in error.log_tail for text in self.process.transient)
                if not passing or time.monotonic() >= deadline:
                    raise
                await asyncio.sleep(_TRANSIENT_POLL_S)
            except BaseException:
                await self._end()
                raise
            else:
                self._told_to_die = False
                self._ready.set()
                return

    async def _await_ready(
        self, child: asyncio.subprocess.Process, deadline: float, since_bytes: int
    ) -> None:
        """Poll the ready check until it says yes; raises InfrastructureError at the deadline."""
        process = self.process
        while child.returncode is None:
            if await self._says_ready(child.pid, deadline):
                return
            if time.monotonic() >= deadline:
                said = log_tail(process.log_path, since_bytes) or "nothing"
                raise InfrastructureError(
                    f"{self.name} was not ready within {process.ready_timeout_s:g} s"
                    f" (log: {process.log_path}); it last wrote: {said}"
                )
            await asyncio.sleep(_READY_POLL_S)
        tail = log_tail(process.log_path, since_bytes)
        raise PartDiedError(self.name, child.returncode, tail, str(process.log_path))

    async def _says_ready(self, pid: int, deadline: float) -> bool:
        if self.process.ready is None:
            return True
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), _READY_POLL_S)):
                return await self.process.ready(pid)
        except TimeoutError:
            return False

    async def _watch(self) -> None:
        """Notice every death, and bring the part back for as long as that is wanted."""
        while self._child:
            exit_code = await self._child.wait()
            self._ready.clear()
            self._end_pause()
            tail = "" if self._told_to_die else log_tail(self.process.log_path)
            self._on_event(self.name, "died", f"exit code {exit_code} {tail}".rstrip())
            if not self.process.restart:
                return
            if not self._told_to_die:
                self._deaths.append(time.monotonic())
            if not await self._revive():
                self._given_up = True
                self._on_event(self.name, "given_up", f"{RESTARTS_MAX} restarts did not help")
                return

    async def _revive(self) -> bool:
        """Start it again with growing pauses between attempts; whether it is ready."""
        failed = 0
        while max(failed, self._recent_deaths()) <= RESTARTS_MAX:
            pause_s = _BACKOFF_FIRST_S * 2 ** max(failed, self._recent_deaths())
            await asyncio.sleep(min(pause_s, _BACKOFF_MAX_S))
            try:
                await self._launch()
            except InfrastructureError as error:
                self._on_event(self.name, "restart_failed", str(error))
                failed += not self._told_to_die
                self._told_to_die = False
            else:
                self._on_event(self.name, "restarted", f"pid {self.pid}")
                return True
        return False

    def _recent_deaths(self) -> int:
        """How often it died of its own within the last RESTARTS_WINDOW_S."""
        since = time.monotonic() - RESTARTS_WINDOW_S
        return sum(death > since for death in self._deaths)

    async def _end(self) -> None:
        """Stop signal, then SIGKILL; also to descendants that outlive it. Safe when it is down."""
        self._ready.clear()
        child = self._child
        if child is None or child.returncode is not None:
            return
        family = _family(child.pid)
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(self.process.stop_signal)
        _continue_all(family)
        self._end_pause()
        try:
            async with asyncio.timeout(self.process.stop_timeout_s):
                await child.wait()
        except TimeoutError:
            family = _family(child.pid)
        finally:
            _kill_all(family)
        await child.wait()
        self._on_event(self.name, "stopped", f"exit code {child.returncode}")

    def _running(self, wish: str) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            raise InfrastructureError(f"cannot {wish} {self.name}: it is not running")
        return self._child

    def _start_pause(self, family: list[psutil.Process]) -> None:
        """Have a shell kill the family at the driver's death: a stopped process notices nothing."""
        self._end_pause()
        pids = [str(member.pid) for member in family]
        self._guard = Guard('kill -9 "$@"', *pids)

    def _end_pause(self) -> None:
        if self._guard is None:
            return
        self._guard.dismiss()
        self._guard = None


def _family(pid: int) -> list[psutil.Process]:
    """The process and all its descendants as they are now, the process first."""
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _kill_all(family: list[psutil.Process]) -> None:
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()


def _continue_all(family: list[psutil.Process]) -> None:
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.resume()
