"""Readings followed as they come in: Server-Sent Events and WebSocket, paced and bounded.

A stream asks the database at its own pace, so a reader that is slow makes nothing pile up: it gets
behind, and is told what it missed. What is sent waits for the reader, and one that takes nothing
for long is let go.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import asyncpg
import msgspec
import structlog
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from fleetplatform.analytics.arrivals import Follower
from fleetplatform.database.clock import PlatformClock
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import RequestError
from fleetplatform.settings import LiveSettings
from fleetplatform.wire.resources.readings import LiveReadings

KEEP_ALIVE_S = 15.0
REST = 9.0
"""A stream rests so many times as long as its last question took."""

EVENT_STREAM = "text/event-stream"
UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)
"""What a database raises that is not there, or gave somebody else way."""
OPENED = "fleetstorm.opened"
"""Member of a request's scope: the streams that were begun for it."""

_log = structlog.get_logger()
Renew = Callable[[], Awaitable[Tenant]]


@dataclass(slots=True)
class Streams:
    """Who follows readings in this process; `close` ends them all.

    settled_s: a batch that was begun so long ago is committed, or given up (wall clock).
    """

    settings: LiveSettings
    clock: PlatformClock
    settled_s: float
    count: int = 0
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    def ensure_place(self) -> None:
        """Raise RequestError where nobody more can follow."""
        if self.count >= self.settings.streams or self._closing.is_set():
            raise RequestError(
                f"{self.settings.streams} readers follow readings here already; come again later",
                code="too_many_streams",
            )

    async def parts(self, follower: Follower, renew: Renew) -> AsyncGenerator[LiveReadings]:
        """Parts: an empty one to begin with, and where the reader should hear that it is there.

        Ends when the process closes, and with what `renew` and `ensure_place` raise.
        """
        self.ensure_place()
        self.count += 1
        try:
            async with aclosing(self._parts(follower, renew)) as parts:
                async for part in parts:
                    yield part
        finally:
            self.count -= 1

    def close(self) -> None:
        """End every stream after what it is sending."""
        self._closing.set()

    async def _parts(self, follower: Follower, renew: Renew) -> AsyncGenerator[LiveReadings]:
        yield LiveReadings(readings=(), missed=None, next=str(follower.place))
        tenant, renewed_s, told_s = await renew(), time.monotonic(), time.monotonic()
        while not self._closing.is_set():
            began_s = time.monotonic()
            if began_s - renewed_s > self.settings.renewed:
                tenant, renewed_s = await renew(), began_s
            part = await follower.next(tenant, self.clock.now_us())
            took_s = time.monotonic() - began_s
            is_quiet = not (part.readings or part.missed)
            if not is_quiet or time.monotonic() - told_s > KEEP_ALIVE_S:
                yield part
                told_s = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(self.settings.interval, REST * took_s)):
                    await self._closing.wait()


async def events(parts: AsyncGenerator[LiveReadings]) -> AsyncGenerator[bytes]:
    """Parts as Server-Sent Events: `reading` with its id, `missed`, and comments in between.

    Every part ends with the place to go on after. The last event, `end`, says why there is no more.
    """
    try:
        async with aclosing(parts):
            async for part in parts:
                yield b"".join(_events_of(part))
    except (RequestError, HTTPException) as error:
        yield b"event: end\ndata: %s\n\n" % str(error).encode()
    except UNREACHABLE as error:
        _log.warning("a stream ends without its database", error=repr(error))
        yield b"event: end\ndata: the database does not answer; come again later\n\n"


def _events_of(part: LiveReadings) -> list[bytes]:
    encode = msgspec.json.encode
    found = []
    if part.missed is not None:
        found.append(b"event: missed\ndata: %s\n\n" % encode(part.missed))
    found += [
        b"id: %s\nevent: reading\ndata: %s\n\n" % (one.id.encode(), encode(one))
        for one in part.readings
    ]
    # An id without data is kept by the client, and tells nobody anything.
    found.append(b": so far\nid: %s\n\n" % part.next.encode())
    return found


class Patience:
    """Middleware that lets go of a reader who takes nothing for `stalled` seconds.

    What the route put into the scope under OPENED is closed when the reader has gone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; what it sends may wait for so long and no longer."""
        opened: list[AsyncGenerator[bytes]] = []
        cast("dict[str, Any]", scope)[OPENED] = opened
        stalled_s: float = scope["litestar_app"].state.context.streams.settings.stalled
        task = asyncio.current_task()
        assert task is not None
        gone = False

        async def patient(message: Message) -> None:
            nonlocal gone
            try:
                async with asyncio.timeout(stalled_s):
                    await send(message)
            except TimeoutError:
                nonlocal gone
                gone = True
                task.cancel()
                await asyncio.sleep(0)

        try:
            await self._app(scope, receive, patient)
        except asyncio.CancelledError:
            if not gone:
                raise
            task.uncancel()
            _log.info("a reader took nothing for long", path=scope["path"], seconds=stalled_s)
        finally:
            for one in opened:
                await one.aclose()


def encode_part(part: LiveReadings) -> str:
    """A part as a WebSocket's message."""
    return msgspec.json.encode(part).decode()
