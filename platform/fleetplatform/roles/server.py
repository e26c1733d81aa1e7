"""The HTTP server of a process: Granian inside the process's own event loop.

With TLS a client's certificate is checked at the handshake (chain, times, purpose, revocation) and
no further: Granian tells the application nothing of it, so who asks is said by the token alone.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

from cryptography import x509
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from fleetplatform.errors import SettingsError
from fleetplatform.settings import ProcessSettings, TlsSettings

BACKLOG = 4096
FLUSH_TIMEOUT_S = 5.0
START_TIMEOUT_S = 10.0
_HEAD_AND_BUFFER_BYTES = 512 * 1024

_App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class HttpServer:
    """Made (the port is checked) → start() → stop()."""

    def __init__(self, settings: ProcessSettings) -> None:
        self._host = settings.host
        self._port = _free_port(settings.host, settings.port)
        self._tls = _tls_options(settings.platform.tls)
        # More than the queue holds: a request too many must get in to be told so.
        self._backpressure = settings.platform.ingest.queue_requests + BACKLOG
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._server: Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    async def start(self, app: _App) -> "asyncio.Task[None]":
        """Listen; the task ends when the server has ended."""
        self._server = Server(
            self._counted(app),
            address=self._host,
            port=self._port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(max_buffer_size=_HEAD_AND_BUFFER_BYTES),
            websockets=True,
            backlog=BACKLOG,
            backpressure=self._backpressure,
            log_enabled=False,
            **self._tls,
        )
        self._task = asyncio.create_task(self._server.serve(), name="http")
        return self._task

    def _counted(self, app: _App) -> _App:
        async def counted(scope: dict[str, Any], receive: Any, send: Any) -> None:
            self._in_flight += 1
            self._idle.clear()
            try:
                await app(scope, receive, send)
            finally:
                self._in_flight -= 1
                if not self._in_flight:
                    self._idle.set()

        return counted

    async def stop(self) -> None:
        """Close when every request in flight has its answer, within FLUSH_TIMEOUT_S."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self._idle.wait()
        if self._server is not None and self._task is not None:
            self._server.stop()
            await asyncio.wait([self._task], timeout=FLUSH_TIMEOUT_S)


def _tls_options(tls: TlsSettings | None) -> dict[str, Any]:
    """What Granian is told of TLS; raises SettingsError for files that do not do.

    Granian itself would leave certificates unchecked where the authority is missing, and dies
    without a word of a file that it cannot read; so all are read here first.
    """
    if tls is None:
        return {}
    if tls.require_client_certificate and tls.client_ca is None:
        raise SettingsError(
            "platform.tls.require_client_certificate: name the authority in platform.tls.client_ca"
        )
    _check_file("certificate and key", methodcaller("load_cert_chain", tls.certificate, tls.key))
    if tls.client_ca is not None:
        _check_file("client_ca", methodcaller("load_verify_locations", tls.client_ca))
    lists = [Path(one) for one in tls.client_crls]
    for one in lists:
        _check_file("client_crls", methodcaller("load_verify_locations", str(one)))
        _check_list(one)
    return {
        "ssl_cert": Path(tls.certificate),
        "ssl_key": Path(tls.key),
        "ssl_ca": None if tls.client_ca is None else Path(tls.client_ca),
        "ssl_crl": lists,
        "ssl_client_verify": tls.require_client_certificate,
    }


def _check_file(key: str, load: Callable[[ssl.SSLContext], None]) -> None:
    try:
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    except OSError as error:
        raise SettingsError(f"platform.tls, {key}: {error.strerror or error}") from error


def _check_list(path: Path) -> None:
    """A revocation list needs a number (RFC 5280, 5.2.3), or Granian's threads panic."""
    try:
        x509.load_pem_x509_crl(path.read_bytes()).extensions.get_extension_for_class(x509.CRLNumber)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise SettingsError(
            "platform.tls, client_crls: write revocation lists in PEM that have a CRL number"
        ) from error


def _free_port(host: str, port: int) -> int:
    """The port, or a free one for 0; raises SettingsError when it cannot be listened on.

    Granian shares a port with whoever listens there already, so it has to be asked before.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "the port is taken by another program" if taken else error.strerror or str(error)
        raise SettingsError(
            f"cannot listen on {host}:{port}: {reason}; set platform.host and platform.port"
        ) from error
