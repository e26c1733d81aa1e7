"""A lean HTTP/1.1 client: what a request costs here decides how many a fleet can offer.

Plain TCP, keep-alive, one request at a time on each of a fixed number of connections ("lanes").
No timer a request: one sweep looks for answers that are overdue. A general client costs four to
a hundred times as much a request.
"""

import asyncio
from typing import cast
from urllib.parse import urlsplit

from fleetsim.errors import ResponseError, TransportError
from fleetsim.transport.response import NO_ANSWER, Reply, ResponseParser

_SWEEPS_PER_TIMEOUT = 8
_RECONNECT_FIRST_S = 0.05
_RECONNECT_MAX_S = 1.0


class Connection(asyncio.Protocol):
    """One connection: open → waiting for an answer → open … → closed; never opened again."""

    __slots__ = ("_loop", "_parser", "_served", "_transport", "_waiter", "deadline", "open")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = ResponseParser()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self._served = 0
        self.deadline = float("inf")
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is ready for a request."""
        # uvloop's, which Ray runs actors on where it is installed, is a Transport by shape only.
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def exchange(self, request: bytes, timeout_s: float) -> asyncio.Future[Reply]:
        """Send a request; the future gives its reply, and never an exception."""
        assert self._transport is not None
        assert self._waiter is None
        self._waiter = waiter = self._loop.create_future()
        self.deadline = self._loop.time() + timeout_s
        self._transport.write(request)
        return waiter

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived; complete the waiting request if they end its response."""
        if self._waiter is None:
            self.abort("the server spoke without being asked")
            return
        try:
            reply = self._parser.feed(data)
        except ResponseError as error:
            self.abort(str(error))
            return
        if reply is not None:
            self._answer(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended; a request that was waiting gets no answer."""
        self.open = False
        if self._waiter is None:
            return
        idle_close = self._served > 0 and not self._parser.started
        reply = self._parser.close()
        if reply is None:
            text = f"connection lost: {exc}" if exc else "connection closed before the answer"
            reply = Reply(NO_ANSWER, text.encode(), keep_alive=idle_close)
        self._answer(reply)

    def abort(self, reason: str) -> None:
        """Give the connection up; a request that was waiting gets no answer."""
        self.open = False
        if self._waiter is not None:
            self._answer(Reply(NO_ANSWER, reason.encode(), keep_alive=False))
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, reply: Reply) -> None:
        waiter, self._waiter = self._waiter, None
        self.deadline = float("inf")
        self._served += 1
        if not reply.keep_alive and self.open:
            self.open = False
            assert self._transport is not None
            self._transport.close()
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)


class HttpClient:
    """A fixed number of lanes to one server; each lane is used by one task at a time.

    open() → ready(lane), exchange(lane, request) … → close(). A lane that has lost its connection
    opens another in `ready`, with growing pauses while the server is gone.
    """

    def __init__(self, url: str, *, lanes: int, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise TransportError(f"cannot speak to {url!r}: give a URL like http://host:port")
        self.host = parts.hostname
        self.port = parts.port or 80
        self.authority = parts.netloc
        self.timeout_s = timeout_s
        self._lanes: list[Connection | None] = [None] * lanes
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._sweep()

    @property
    def lanes(self) -> int:
        """How many requests can be under way at once."""
        return len(self._lanes)

    async def ready(self, lane: int) -> None:
        """Return when the lane has an open connection, however long the server is gone."""
        pause_s = _RECONNECT_FIRST_S
        while not await self.connect(lane):
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _RECONNECT_MAX_S)

    async def connect(self, lane: int) -> bool:
        """Open the lane's connection if it is not; False when the server cannot be reached."""
        connection = self._lanes[lane]
        if connection is not None and connection.open:
            return True
        try:
            async with asyncio.timeout(self.timeout_s):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._loop), self.host, self.port
                )
        except OSError:
            # A timeout is an OSError too. The server may be back at the next attempt.
            return False
        self._lanes[lane] = connection
        return True

    async def exchange(self, lane: int, request: bytes) -> Reply:
        """The reply to one request; status NO_ANSWER when none came in time or the server left."""
        connection = self._lanes[lane]
        if connection is None or not connection.open:
            if not await self.connect(lane):
                unreachable = f"{self.authority} cannot be reached"
                return Reply(NO_ANSWER, unreachable.encode(), keep_alive=False)
            connection = self._lanes[lane]
            assert connection is not None
        return await connection.exchange(request, self.timeout_s)

    def _sweep(self) -> None:
        now_s = self._loop.time()
        for connection in self._lanes:
            if connection is not None and connection.deadline < now_s:
                connection.abort(f"no answer within {self.timeout_s:g} s")
        pause_s = self.timeout_s / _SWEEPS_PER_TIMEOUT
        self._sweep_timer = self._loop.call_later(pause_s, self._sweep)

    def close(self) -> None:
        """Close every connection; requests under way get no answer."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        for lane, connection in enumerate(self._lanes):
            if connection is not None:
                connection.abort("the client was closed")
            self._lanes[lane] = None


def head(client: HttpClient, path: str, token: str, media_type: str, extra: str = "") -> bytes:
    """The part of a POST's head that stays the same from request to request.

    `request` joins it with a body. `extra` are further complete lines, each ended by CR LF.
    """
    return (
        f"POST {path} HTTP/1.1\r\nHost: {client.authority}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: {media_type}\r\n{extra}"
        f"Content-Length: "
    ).encode()


def request(head_bytes: bytes, body: bytes) -> bytes:
    """One complete request from `head` and a body."""
    return b"%b%d\r\n\r\n%b" % (head_bytes, len(body), body)
