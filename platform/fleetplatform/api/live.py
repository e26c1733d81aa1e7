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
OPENED = "fleetstorm.opened"
"""Member of a request's scope: the streams that were begun for it."""

_log = structlog.get_logger()
Renew = Callable[[], Awaitable[Tenant]]


@dataclass(slots=True)
class Streams:
    """Who follows readings in this process; `close` ends them all."""

    settings: LiveSettings
    clock: PlatformClock
    count: int = 0
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    def ensure_place(self) -> None:
        """Raise RequestError where nobody more can follow."""
        if self.count >= self.settings.streams or self._closing.is_set():
            raise RequestError(
                f"{self.settings.streams} readers follow readings here already; come again later",
                code="too_many_streams",
            )

    async def parts(self, follower: Follower, renew: Renew) -> AsyncGenerator[LiveReadings | None]:
        """Parts that hold something, and None where the reader should hear that it is there.

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

    async def _parts(self, follower: Follower, renew: Renew) -> AsyncGenerator[LiveReadings | None]:
        tenant, renewed_s, told_s = await renew(), time.monotonic(), time.monotonic()
        while not self._closing.is_set():
            began_s = time.monotonic()
            if began_s - renewed_s > self.settings.renewed:
                tenant, renewed_s = await renew(), began_s
            part = await follower.next(tenant, self.clock.now_us())
            took_s = time.monotonic() - began_s
            if part.readings or part.missed:
                yield part
                told_s = time.monotonic()
            elif time.monotonic() - told_s > KEEP_ALIVE_S:
                yield None
                told_s = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(self.settings.interval, REST * took_s)):
                    await self._closing.wait()


async def events(parts: AsyncGenerator[LiveReadings | None]) -> AsyncGenerator[bytes]:
    """Parts as Server-Sent Events: `reading` with its id, `missed`, and comments in between.

    The last one, `end`, says why the reader may read no more.
    """
    yield b": readings follow\n\n"
    try:
        async with aclosing(parts):
            async for part in parts:
                yield b": nothing new\n\n" if part is None else b"".join(_events_of(part))
    except (RequestError, HTTPException) as error:
        yield b"event: end\ndata: %s\n\n" % str(error).encode()


def _events_of(part: LiveReadings) -> list[bytes]:
    encode = msgspec.json.encode
    found = []
    if part.missed is not None:
        found.append(b"event: missed\ndata: %s\n\n" % encode(part.missed))
    found += [
        b"id: %s\nevent: reading\ndata: %s\n\n" % (one.id.encode(), encode(one))
        for one in part.readings
    ]
    if not part.readings:
        found.append(b"id: %s\ndata:\n\n" % part.next.encode())
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


def encode_part(part: LiveReadings | None) -> str:
    """A part as a WebSocket's message; an empty object says that the stream is there."""
    found: Any = {} if part is None else part
    return msgspec.json.encode(found).decode()
