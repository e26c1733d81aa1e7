"""The platform's services as processes of a run.

Each is `python -m fleetplatform ROLE SETTINGS`. What the settings say is the caller's business:
here they are bytes, written to a file that only the driver's user may read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from fleetstorm.errors import InfrastructureError
from fleetstorm.stack.ports import check_port_free
from fleetstorm.stack.process import Process
from fleetstorm.stack.supervisor import Part, Supervisor

_READY_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0
_REQUEST_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Service:
    """A running service of the platform, reached at `url`."""

    part: Part
    url: str

    @property
    def name(self) -> str:
        """The name of its part: the role, numbered from the second of the same role on."""
        return self.part.name

    @property
    def pid(self) -> int | None:
        """Its process id, another one after each restart; None while it is down."""
        return self.part.pid


async def start_service(
    supervisor: Supervisor,
    role: str,
    settings: bytes,
    *,
    host: str,
    port: int,
    folder: Path,
    log_path: Path,
) -> Service:
    """Start a service and wait until its /readyz answers 200; raises InfrastructureError.

    `role` is ingest, api or worker, or several joined by +; `settings` is the content of its
    settings file, which must name the same host and port; `folder` is a private folder for it.
    It is started again whenever it ends.
    """
    check_port_free(host, port)
    name = _free_name(supervisor, role)
    path = _write_private(folder / f"{name}.json", settings)

    async def ready(_pid: int) -> bool:
        return await _answers_ready(host, port)

    part = await supervisor.start(
        Process(
            name=name,
            argv=(sys.executable, "-m", "fleetplatform", role, str(path)),
            log_path=log_path,
            cwd=folder,
            env=_environment(),
            ready=ready,
            ready_timeout_s=_READY_TIMEOUT_S,
            restart=True,
            stop_timeout_s=_STOP_TIMEOUT_S,
        )
    )
    return Service(part, f"http://{_in_url(host)}:{port}")


def _environment() -> dict[str, str]:
    """The driver's environment without Ray's variables, among which is the cluster's token."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}


def _free_name(supervisor: Supervisor, role: str) -> str:
    taken = {part.name for part in supervisor.parts}
    if role not in taken:
        return role
    return next(name for n in range(2, len(taken) + 3) if (name := f"{role}-{n}") not in taken)


def _write_private(path: Path, content: bytes) -> Path:
    """Write a file that only its owner may read, whatever was there before."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise InfrastructureError(
            f"the settings file {path} cannot be written: {error}; choose another folder"
        ) from error
    return path.resolve()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _answers_ready(host: str, port: int) -> bool:
    """Whether GET /readyz answers 200 within _REQUEST_TIMEOUT_S."""
    request = f"GET /readyz HTTP/1.1\r\nHost: {_in_url(host)}:{port}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(_REQUEST_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request.encode("ascii"))
                status_line = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return status_line.split(b" ")[1:2] == [b"200"]
