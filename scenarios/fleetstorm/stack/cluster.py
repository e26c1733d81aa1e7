"""Ray, on which the simulator's shards run: a small local cluster, or one that exists already.

A local cluster lies in a temporary folder of its own, because Ray's usual one belongs to the first
user who came, and is guarded by a token that is generated for it and kept in memory.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from fleetstorm.errors import InfrastructureError
from fleetstorm.stack.guard import Guard

OBJECT_STORE_BYTES = 128 * 2**20
_LEFTOVER_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 3.0

# Ray's socket paths, 60 characters and more below this folder, must stay under 108.
_FOLDER_LENGTH_MAX = 20
_SHORT_TEMPORARY_FOLDER = "/tmp"  # noqa: S108 - mkdtemp makes a private folder in it

_QUIET: Mapping[str, str] = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else it copies the working folder, starts workers by uv
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",  # it would print a stack at SIGTERM
    "RAY_DEDUP_LOGS_SKIP_REGEX": "PYTHON worker processes have been started",  # not for users
    "RAY_AUTH_MODE": "token",
    "RAY_enable_metrics_collection": "0",
    "RAY_event_stats": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_prestart_worker_first_driver": "0",  # a shard is a process of its own; spares would idle
    "RAY_enable_worker_prestart": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # it would free memory by killing a shard
}

_token = secrets.token_hex(32)
"""One for all clusters of this process, for Ray keeps the first that it has read."""

# After the driver's death Ray's agents go on for a minute: everything of the cluster is ended. Its
# processes are known by their logs, for they overwrite their command lines and environments.
_KILL_ALL_AND_REMOVE = """
for attempt in 1 2 3; do
    for process in /proc/[0-9]*; do
        if ls -l "$process/fd" | grep -qF " $1/"; then
            kill -9 "${process#/proc/}"
        fi
    done
    sleep 0.5
done
rm -rf "$1"
"""

_folder: Path | None = None
_guard: Guard | None = None
_environment_before: dict[str, str | None] = {}


def start_cluster(address: str | None, num_cpus: int | None = None) -> None:
    """Start a local Ray (`address` None), or join the one at `address`; blocks for seconds.

    Raises InfrastructureError. `stop_cluster` undoes it, also after a failure.
    """
    global _folder, _guard
    if address is None:
        _folder = Path(tempfile.mkdtemp(prefix="fsray-", dir=_short_folder()))
        _guard = Guard(_KILL_ALL_AND_REMOVE, str(_folder))
        _set_environment({**_QUIET, "RAY_AUTH_TOKEN": _token})
        options = {
            "num_cpus": num_cpus,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_temp_dir": str(_folder),
        }
    else:
        _check_answers(address)
        _set_environment({"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"})
        options = {"address": address}
    try:
        _init(options)
    except Exception as error:  # Ray raises whatever its parts raise
        stop_cluster()
        where = f"Ray at {address} could not be joined" if address else "Ray could not be started"
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InfrastructureError(f"{where}: {reason[0]}") from error
    except BaseException:
        stop_cluster()
        raise


def stop_cluster(logs: Path | None = None) -> None:
    """Leave the cluster; a local one ends with all its processes and files.

    Ray's own logs are copied to the folder `logs` first, if it is given.
    """
    global _folder, _guard
    import ray

    ray.shutdown()
    if _guard is not None:
        _guard.dismiss()
        _guard = None
    if _folder is not None:
        _kill_leftovers(str(_folder))
        if logs is not None:
            with contextlib.suppress(OSError, shutil.Error):
                shutil.copytree(_folder / "session_latest" / "logs", logs, dirs_exist_ok=True)
        shutil.rmtree(_folder, ignore_errors=True)
        _folder = None
    _restore_environment()


def _init(options: dict[str, Any]) -> None:
    import ray

    # Below ERROR it tells users of its own internals: tokens, signal handlers, object stores.
    ray.init(log_to_driver=False, logging_level="ERROR", **options)


def _check_answers(address: str) -> None:
    """Ray itself would try for minutes, and hear no Ctrl-C; raises InfrastructureError."""
    host, separator, port = address.rpartition("://")[2].rpartition(":")
    if not separator:
        return
    try:
        socket.create_connection((host, int(port)), _ANSWER_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise InfrastructureError(
            f"ray.address: no Ray answers at {address} ({error}): start one there with"
            " `ray start --head`, or leave ray.address out for a local one"
        ) from error


def _short_folder() -> str:
    """The temporary folder if it is short enough for Ray's sockets, else the system's."""
    configured = tempfile.gettempdir()
    return configured if len(configured) <= _FOLDER_LENGTH_MAX else _SHORT_TEMPORARY_FOLDER


def _kill_leftovers(folder: str) -> None:
    """Kill what is left of the cluster whose files lie in `folder`."""
    left = [process for process in psutil.process_iter() if _belongs(process, folder)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=_LEFTOVER_TIMEOUT_S)


def _belongs(process: psutil.Process, folder: str) -> bool:
    """Whether it writes below the folder; the driver does so too, and is spared."""
    if process.pid == os.getpid():
        return False
    try:
        return any(file.path.startswith(f"{folder}/") for file in process.open_files())
    except psutil.Error:
        return False


def _set_environment(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        _environment_before.setdefault(name, os.environ.get(name))
        os.environ[name] = value


def _restore_environment() -> None:
    for name, value in _environment_before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _environment_before.clear()
