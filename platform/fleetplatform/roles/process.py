"""One process of the platform, from its start to its end."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg
import structlog

from fleetplatform.database.address import reach
from fleetplatform.database.clock import PlatformClock
from fleetplatform.database.pool import Pool
from fleetplatform.encryption.logging import warn_of_logged_parameters
from fleetplatform.errors import DatabaseError, PlatformError, SettingsError
from fleetplatform.observe import METRICS_MEDIA_TYPE, Metrics
from fleetplatform.roles.api import ApiRole
from fleetplatform.roles.ingest import IngestRole
from fleetplatform.roles.part import (
    DATABASE_ROLES,
    App,
    Part,
    Receive,
    Scope,
    Send,
    Shared,
    open_pools,
)
from fleetplatform.roles.server import HttpServer
from fleetplatform.roles.worker import WorkerRole
from fleetplatform.settings import ProcessSettings
from fleetplatform.wire.problems import MEDIA_TYPE, Problem

PROBE_TIMEOUT_S = 1.0
POOL_CLOSE_TIMEOUT_S = 5.0

_ROLES: Mapping[str, Callable[[Shared], Part]] = {
    "ingest": IngestRole, "api": ApiRole, "worker": WorkerRole,
}  # fmt: skip
_PLAIN = b"text/plain; charset=utf-8"

_log = structlog.get_logger()


def parse_roles(text: str) -> list[str]:
    """The roles in "ingest+api+worker"; raises SettingsError."""
    roles = text.split("+")
    unknown = [role for role in roles if role not in _ROLES]
    if unknown or len(set(roles)) < len(roles):
        known = ", ".join(_ROLES)
        raise SettingsError(f"no roles {text!r}: write one of {known}, or several joined by +")
    return roles


async def run(roles: list[str], settings: ProcessSettings) -> None:
    """Serve until SIGTERM or SIGINT; raises DatabaseError or SettingsError if it cannot begin."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = HttpServer(settings)
    pools = await open_pools(settings, roles)
    try:
        if settings.encryption is not None:
            for role, pool in pools.items():
                await warn_of_logged_parameters(pool, DATABASE_ROLES[role])
        await _Process(roles, settings, pools, server).run(stop)
    finally:
        await _close_pools(pools)


async def _close_pools(pools: Mapping[str, Pool]) -> None:
    for pool in pools.values():
        try:
            async with asyncio.timeout(POOL_CLOSE_TIMEOUT_S):
                await pool.close()
        except Exception:  # a database that has gone leaves nothing to close in order
            pool.terminate()


class _Process:
    """The roles on one port, with /healthz, /readyz and /metrics beside them."""

    def __init__(
        self,
        roles: list[str],
        settings: ProcessSettings,
        pools: dict[str, Pool],
        server: HttpServer,
    ) -> None:
        self._server = server
        self._pool = pools[roles[0]]
        self._url = settings.database_urls[DATABASE_ROLES[roles[0]]]
        self._clock = PlatformClock(self._pool, self._url)
        self._metrics = Metrics()
        shared = Shared(settings, self._metrics, self._clock, pools)
        self._parts = [_ROLES[role](shared) for role in roles]
        self._routes: dict[str, App] = {
            "/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics_page,
        }  # fmt: skip
        for part in self._parts:
            self._routes.update(part.routes)
        self._rest = self._routes.pop("", _not_found)
        self._draining = False

    async def run(self, stop: asyncio.Event) -> None:
        """start → serve until `stop` → drain → close."""
        serving = await self._server.start(self._app)
        stopping = asyncio.create_task(stop.wait())
        starting = asyncio.create_task(self._start())
        try:
            await asyncio.wait({serving, stopping, starting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                _log.info("ready", url=self._server.url)
                await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                raise PlatformError("the HTTP server ended by itself; its log says more")
            _log.info("stopping")
        finally:
            stopping.cancel()
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self._end()

    async def _start(self) -> None:
        try:
            async with reach(self._url):
                await self._clock.start()
                for part in self._parts:
                    await part.start()
        except DatabaseError as error:
            if isinstance(error.__cause__, asyncpg.SyntaxOrAccessError):
                raise DatabaseError(f"{error}; was the database prepared by fleetstorm?") from error
            raise

    async def _end(self) -> None:
        """Every request in flight is answered before the server and the roles are closed."""
        self._draining = True
        for part in self._parts:
            await part.drain()
        await self._server.stop()
        for part in self._parts:
            await part.close()
        await self._clock.close()

    def _app(self, scope: Scope, receive: Receive, send: Send) -> Any:
        return self._routes.get(scope["path"], self._rest)(scope, receive, send)

    async def _healthz(self, _: Scope, __: Receive, send: Send) -> None:
        await _reply(send, 200, _PLAIN, b"alive\n")

    async def _readyz(self, _: Scope, __: Receive, send: Send) -> None:
        """200 only when every role works and the database answers."""
        ready = not self._draining and all(part.is_ready() for part in self._parts)
        if ready and await self._database_answers():
            await _reply(send, 200, _PLAIN, b"ready\n")
        else:
            await _reply(send, 503, _PLAIN, b"not ready\n")

    async def _database_answers(self) -> bool:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(PROBE_TIMEOUT_S), self._pool.acquire() as conn:
                return bool(await conn.fetchval("select true"))
        return False

    async def _metrics_page(self, _: Scope, __: Receive, send: Send) -> None:
        await _reply(send, 200, METRICS_MEDIA_TYPE.encode(), self._metrics.page())


async def _not_found(scope: Scope, _: Receive, send: Send) -> None:
    detail = f"this process does not serve {scope['path']}"
    body = Problem("not_found", "There is nothing here", 404, detail).encode()
    await _reply(send, 404, MEDIA_TYPE.encode(), body)


async def _reply(send: Send, status: int, media_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
