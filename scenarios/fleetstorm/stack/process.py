"""One operating-system process of a run: what it is, and how it is spawned so that none is left.

A child gets a session of its own, so the terminal's Ctrl-C reaches the driver alone, and asks the
kernel for a signal when the driver dies (prctl(2), PR_SET_PDEATHSIG), so that a killed driver
leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fleetstorm.errors import InfrastructureError
from fleetstorm.stack.account import Account

_PR_SET_PDEATHSIG = 1
_LOG_TAIL_BYTES = 8_192
_LOG_TAIL_LINES = 8

# Looked up before any fork: between fork and exec, a child of a process with threads must not load.
_prctl = ctypes.CDLL(None, use_errno=True).prctl


@dataclass(frozen=True, kw_only=True)
class Process:
    """What the supervisor needs to know to start a process, watch it and stop it.

    `env` is the whole environment (None: the driver's own). `ready` is asked, with the pid, until
    it says yes or `ready_timeout_s` is over; None means ready at once. With `restart` the process
    comes back whenever it ends without being told to. A start that fails with one of `transient`
    in its log is tried again until `ready_timeout_s` is over.
    """

    name: str
    argv: tuple[str, ...]
    log_path: Path
    cwd: Path
    env: Mapping[str, str] | None = None
    account: Account | None = None
    ready: Callable[[int], Awaitable[bool]] | None = None
    ready_timeout_s: float = 30.0
    restart: bool = False
    transient: tuple[str, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    death_signal: signal.Signals = signal.SIGKILL


def _die_with(parent_pid: int, death_signal: int) -> Callable[[], None]:
    """What the child runs before exec: ask for `death_signal` at the driver's death.

    Runs after the change of user, which would clear the request. A driver that died before the
    request was made is noticed by the changed parent.
    """

    def before_exec() -> None:
        _prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent_pid:
            os._exit(1)

    return before_exec


async def _exec(process: Process, output: BinaryIO | int) -> asyncio.subprocess.Process:
    """Start `process` with its output going to `output`; it need not be ready."""
    account = process.account
    try:
        return await asyncio.create_subprocess_exec(
            *process.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=process.cwd,
            env=process.env,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_die_with(os.getpid(), process.death_signal),
        )
    except (OSError, subprocess.SubprocessError) as error:
        as_user = f" as user {account.name}" if account else ""
        raise InfrastructureError(
            f"{process.name} could not be started{as_user}: {error} (program: {process.argv[0]})"
        ) from error


async def spawn(process: Process) -> asyncio.subprocess.Process:
    """Start `process`, its output appended to its log; raises InfrastructureError."""
    with _open_log(process) as log:
        return await _exec(process, log)


async def run_to_end(process: Process) -> tuple[int, str]:
    """Run `process` until it ends, within `ready_timeout_s`; gives exit code and output."""
    child = await _exec(process, subprocess.PIPE)
    try:
        async with asyncio.timeout(process.ready_timeout_s):
            output, _ = await child.communicate()
    except TimeoutError:
        raise InfrastructureError(
            f"{process.name} did not end within {process.ready_timeout_s:g} s"
        ) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode or 0, output.decode(errors="replace")


def _open_log(process: Process) -> BinaryIO:
    """The log, for appending, readable by its owner only; raises InfrastructureError."""
    try:
        process.log_path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(process.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise InfrastructureError(
            f"the log of {process.name} cannot be written: {error}; choose another folder"
        ) from error
    return os.fdopen(descriptor, "ab")


def log_size_bytes(path: Path) -> int:
    """How long the log is now; 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def log_tail(path: Path, since_bytes: int = 0) -> str:
    """The last lines of a log that were written after its first `since_bytes`, joined by ' | '."""
    try:
        with path.open("rb") as log:
            log.seek(max(since_bytes, log_size_bytes(path) - _LOG_TAIL_BYTES))
            lines = log.read(_LOG_TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return ""
    return " | ".join([line.strip() for line in lines if line.strip()][-_LOG_TAIL_LINES:])
