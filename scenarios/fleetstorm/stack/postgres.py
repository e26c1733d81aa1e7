"""The embedded PostgreSQL of a run: a real server with real durability, gone when the run is.

fsync, full_page_writes, synchronous_commit and data checksums are on, logins are SCRAM with a
generated password, and it listens on 127.0.0.1 alone (no socket file: its path could be too long,
and a killed run would leave it behind).
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import asyncpg

from fleetstorm.errors import InfrastructureError, PartDiedError
from fleetstorm.stack.account import cache_folder, data_place, server_account
from fleetstorm.stack.binaries import unpack_binaries
from fleetstorm.stack.data_folder import SUPERUSER, DataFolder, read_password
from fleetstorm.stack.ports import check_port_free, pick_free_port
from fleetstorm.stack.process import Process, spawn
from fleetstorm.stack.supervisor import Part, Supervisor

HOST = "127.0.0.1"
NAME = "postgres"

DEFAULT_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "max_connections": "100",
        "max_locks_per_transaction": "1024",
        "shared_buffers": "512MB",
        "max_wal_size": "4GB",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u@%d %a ",
    }
)
"""Settings of the server; those that a caller gives win."""

_READY_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0
_QUERY_TIMEOUT_S = 5.0
_PORTS_MAX = 3
_DETACHED_POLL_S = 0.05
# After SIGKILL the processes of the old server hold on to its shared memory for a moment.
_TRANSIENT = ("shared memory block", 'lock file "postmaster.pid" already exists')


@dataclass(frozen=True)
class PostgresServer:
    """A running embedded server.

    The folder that it was started in, given again, serves the same data again.
    """

    supervisor: Supervisor
    part: Part
    port: int
    data: DataFolder

    @property
    def data_dir(self) -> Path:
        """PostgreSQL's data directory."""
        return self.data.path

    @property
    def psql(self) -> Path | None:
        """The bundled client; None when there is none."""
        path = self.data.binaries.program("psql")
        return path if path.exists() else None

    def url(self, database: str = "postgres") -> str:
        """The superuser's connection URL, password included."""
        return f"postgresql://{SUPERUSER}:{self.data.password}@{HOST}:{self.port}/{database}"

    async def stop(self) -> None:
        """Stop the server; its data stay."""
        if self.part in self.supervisor.parts:
            await self.supervisor.remove(self.part.name)

    async def leave_running(self) -> None:
        """Have the server run on by itself, at the same port, when the driver has ended.

        It is stopped and started once more, as nobody's child. Raises InfrastructureError.
        """
        await self.stop()
        await _start_detached(self.part.process, self.data, self.port)

    async def discard(self) -> None:
        """Remove the data of a stopped server for good."""
        await asyncio.to_thread(shutil.rmtree, self.data_dir, ignore_errors=True)


async def start_postgres(
    supervisor: Supervisor,
    folder: Path,
    *,
    port: int = 0,
    settings: Mapping[str, str] = MappingProxyType({}),
    log_path: Path | None = None,
) -> PostgresServer:
    """Start a server whose data lie in `folder`/data and wait until it answers a query.

    Port 0 picks a free one. If root may not hand `folder` to an unprivileged user, the data lie
    in a folder below /var/tmp that belongs to it; `data_dir` tells. The log is `log_path`, or
    `folder`/postgres.log. Raises InfrastructureError.
    """
    account = server_account()
    if port:
        check_port_free(HOST, port)
    place = data_place(folder, account)
    binaries = await asyncio.to_thread(lambda: unpack_binaries(cache_folder(account)))
    data = DataFolder(place, read_password(folder), binaries, account)
    await data.initialise()
    log = log_path or folder / "postgres.log"
    chosen = {**DEFAULT_SETTINGS, **settings}
    part, port = await _start_on_port(supervisor, data, port, chosen, log)
    return PostgresServer(supervisor, part, port, data)


async def _start_on_port(
    supervisor: Supervisor, data: DataFolder, port: int, settings: Mapping[str, str], log: Path
) -> tuple[Part, int]:
    """Start on `port`; with port 0 on a free one, again if somebody else was quicker to take it."""
    for attempt in range(_PORTS_MAX):
        chosen = port or pick_free_port(HOST)
        try:
            return await supervisor.start(_process(data, chosen, settings, log)), chosen
        except PartDiedError as error:
            taken = "could not create any TCP/IP sockets" in error.log_tail
            if port or not taken or attempt == _PORTS_MAX - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _process(data: DataFolder, port: int, settings: Mapping[str, str], log: Path) -> Process:
    """The server as the supervisor runs it: it comes back, on the same port, whenever it ends.

    It stops with a fast shutdown (SIGINT) and, should the driver die, an immediate one (SIGQUIT),
    which ends its children too and leaves no lock file.
    """
    options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]

    async def ready(pid: int) -> bool:
        return data.says_ready(pid) and await _answers(port, data.password)

    return Process(
        name=NAME,
        argv=(*data.server_command, "-p", str(port), *options),
        log_path=log,
        cwd=data.place,
        env=data.binaries.environment,
        account=data.account,
        ready=ready,
        ready_timeout_s=_READY_TIMEOUT_S,
        restart=True,
        transient=_TRANSIENT,
        stop_signal=signal.SIGINT,
        stop_timeout_s=_STOP_TIMEOUT_S,
        death_signal=signal.SIGQUIT,
    )


async def _start_detached(process: Process, data: DataFolder, port: int) -> None:
    """Start `process` through a shell that ends at once, and wait until it answers."""
    by_shell = ("/bin/sh", "-c", '"$@" &', "sh", *process.argv)
    shell = await spawn(replace(process, argv=by_shell))
    await shell.wait()
    deadline = time.monotonic() + process.ready_timeout_s
    while not (data.says_ready(None) and await _answers(port, data.password)):
        if time.monotonic() > deadline:
            raise InfrastructureError(
                f"PostgreSQL did not come back to be left running (log: {process.log_path})"
            )
        await asyncio.sleep(_DETACHED_POLL_S)


async def _answers(port: int, password: str) -> bool:
    """Whether the server answers a query."""
    try:
        connection = await asyncpg.connect(
            host=HOST,
            port=port,
            user=SUPERUSER,
            password=password,
            database="postgres",
            timeout=_QUERY_TIMEOUT_S,
            ssl=False,
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        return bool(await connection.fetchval("SELECT true", timeout=_QUERY_TIMEOUT_S))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    finally:
        connection.terminate()
