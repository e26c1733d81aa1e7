"""Reading one HTTP/1.1 response from the pieces in which it arrives (RFC 9112)."""

from email.utils import parsedate_to_datetime
from typing import NamedTuple

from fleetplatform.wire.clock import wall_now_us
from fleetsim.errors import ResponseError

NO_ANSWER = 0
"""Status of a reply that never came: the connection was lost or the time was up."""
SIZE_MAX_BYTES = 256 * 1024 * 1024
"""A response beyond this is refused, for a broken server must not fill the memory."""
_HEAD_MAX_BYTES = 64 * 1024


class Reply(NamedTuple):
    """What came back for one request.

    `keep_alive` says whether the connection serves another request. With status NO_ANSWER the
    body is a sentence for people, and `keep_alive` tells that the server had closed a connection
    that idled, so that the request may be repeated at once.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None
    keep_alive: bool = True


class ResponseParser:
    """Takes bytes until one response is complete: head → body (counted, chunked or until close).

    `feed` returns the reply, or None while more is needed; the parser is then ready for the next
    response. Interim responses (1xx) are skipped.
    """

    __slots__ = ("_body_at", "_chunked", "_chunks", "_keep_alive", "_length", "_received", "_reply")

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._received = b""
        self._body_at = 0
        self._length = -1
        self._chunked = False
        self._chunks: list[bytes] = []
        self._keep_alive = True
        self._reply = Reply(NO_ANSWER, b"")

    @property
    def started(self) -> bool:
        """Whether part of a response has arrived."""
        return bool(self._received)

    def feed(self, data: bytes) -> Reply | None:
        """Take more bytes; raises ResponseError when they are no HTTP response."""
        self._received = self._received + data if self._received else data
        if len(self._received) > SIZE_MAX_BYTES:
            raise ResponseError(f"a response of more than {SIZE_MAX_BYTES} bytes")
        while self._body_at == 0:
            if not self._read_head():
                return None
        if self._chunked:
            return self._read_chunks()
        if self._length < 0:
            return None
        end = self._body_at + self._length
        if len(self._received) < end:
            return None
        return self._complete(self._received[self._body_at : end], end)

    def close(self) -> Reply | None:
        """The connection has ended: the reply if its body was to last until then, else None."""
        if self._body_at and not self._chunked and self._length < 0:
            self._keep_alive = False
            return self._complete(self._received[self._body_at :], len(self._received))
        return None

    def _complete(self, body: bytes, end: int) -> Reply:
        # Bytes beyond the body answer nothing that was asked: that connection is out of step.
        keep_alive = self._keep_alive and end == len(self._received)
        reply = self._reply._replace(body=body, keep_alive=keep_alive)
        self._reset()
        return reply

    def _read_head(self) -> bool:
        received = self._received
        end = received.find(b"\r\n\r\n")
        if end < 0:
            if len(received) > _HEAD_MAX_BYTES:
                raise ResponseError("the head of a response does not end")
            return False
        if not received.startswith(b"HTTP/1.") or not received[9:12].isdigit():
            raise ResponseError(f"not an HTTP/1.1 response: {received[:40]!r}")
        status = int(received[9:12])
        if 100 <= status < 200:
            self._received = received[end + 4 :]
            return bool(self._received)
        self._take_fields(status, received[:end].lower())
        self._body_at = end + 4
        return True

    def _take_fields(self, status: int, head: bytes) -> None:
        connection = _field(head, b"connection")
        http_1_0 = head.startswith(b"http/1.0")
        self._keep_alive = b"keep-alive" in connection if http_1_0 else b"close" not in connection
        retry_after = _field(head, b"retry-after")
        self._reply = Reply(status, b"", _seconds(retry_after) if retry_after else None)
        length = _field(head, b"content-length")
        self._chunked = b"chunked" in _field(head, b"transfer-encoding")
        if status in (204, 304):
            self._chunked, self._length = False, 0
        elif length and not self._chunked:
            if not length.isdigit():
                raise ResponseError(f"content-length is {length!r}")
            self._length = int(length)

    def _read_chunks(self) -> Reply | None:
        """Cut complete chunks off; `_body_at` moves behind what has been taken."""
        received = self._received
        while True:
            line_end = received.find(b"\r\n", self._body_at)
            if line_end < 0:
                return None
            size = _chunk_size(received[self._body_at : line_end])
            if size == 0:
                return self._read_trailer(line_end)
            end = line_end + 2 + size
            if len(received) < end + 2:
                return None
            self._chunks.append(received[line_end + 2 : end])
            self._body_at = end + 2

    def _read_trailer(self, line_end: int) -> Reply | None:
        """The response ends with the first empty line after the last chunk."""
        at = line_end + 2
        end = at - 2 if self._received.startswith(b"\r\n", at) else None
        if end is None:
            found = self._received.find(b"\r\n\r\n", at)
            if found < 0:
                return None
            end = found
        return self._complete(b"".join(self._chunks), end + 4)


def _field(head: bytes, name: bytes) -> bytes:
    """The value of a field in a lower-case head, or b"" where it is missing."""
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    start = at + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


def _chunk_size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0].strip(), 16)
    except ValueError:
        raise ResponseError(f"not the size of a chunk: {line[:40]!r}") from None


def _seconds(retry_after: bytes) -> float | None:
    """Retry-After as seconds from now; None when it is neither a number nor a date."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        instant = parsedate_to_datetime(retry_after.decode("latin-1"))
    except ValueError:
        return None
    return max(0.0, instant.timestamp() - wall_now_us() / 1e6)
