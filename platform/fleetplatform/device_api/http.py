"""POST /v1/readings, a raw ASGI application: every layer more would cost each device's reading."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
import structlog

from fleetplatform.device_api.encodings import expand
from fleetplatform.device_api.login import Login
from fleetplatform.device_api.refusal import (
    Headers,
    Refusal,
    come_again,
    over_quota,
    too_large,
    unreadable,
    unsupported,
)
from fleetplatform.errors import Overloaded, Unavailable, WireError
from fleetplatform.ingest.batcher import Batcher
from fleetplatform.ingest.quotas import RateQuotas
from fleetplatform.ingest.submission import Submission
from fleetplatform.registry.directory import Directory
from fleetplatform.settings import IngestSettings
from fleetplatform.wire.problems import MEDIA_TYPE as PROBLEM_MEDIA_TYPE
from fleetplatform.wire.readings import (
    ARROW_MEDIA_TYPE,
    JSON_MEDIA_TYPE,
    check_metadata,
    decode_arrow,
    decode_json,
)
from fleetplatform.wire.resources.receipts import Receipt

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_JSON = JSON_MEDIA_TYPE.encode()
_ARROW = ARROW_MEDIA_TYPE.encode()
_PROBLEM = PROBLEM_MEDIA_TYPE.encode()
_KNOWN_TYPES = f"send {JSON_MEDIA_TYPE} or {ARROW_MEDIA_TYPE}"
_THROWN_AWAY_MAX = 1024 * 1024
_NOTHING = Receipt(accepted=0, duplicates=0, rejected_total=0)

_log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode


class Metrics(Protocol):
    """What is counted here; `observe.Metrics` is one."""

    def request_over_quota(self, quota: str) -> None:
        """A request was refused, for its organization has used up a quota."""


class _GoneError(Exception):
    """The device closed the connection before its body was complete."""


class DeviceApi:
    """Readings in, receipts out, and those only after commit."""

    def __init__(
        self,
        directory: Directory,
        login: Login,
        batcher: Batcher,
        limits: IngestSettings,
        quotas: RateQuotas,
        metrics: Metrics,
    ) -> None:
        self._directory = directory
        self._login = login
        self._batcher = batcher
        self._limits = limits
        self._quotas = quotas
        self._metrics = metrics
        self._retry_after_s = max(1, math.ceil(limits.retry_after))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request to /v1/readings."""
        try:
            receipt = await self._post(scope, receive)
        except Refusal as refusal:
            await _reply(
                send, refusal.problem.status, _PROBLEM, refusal.problem.encode(), refusal.headers
            )
        except _GoneError:
            return
        else:
            await _reply(send, 200, _JSON, _encode(receipt))

    async def _post(self, scope: Scope, receive: Receive) -> Receipt:
        if scope["method"] != "POST":
            allow = [(b"allow", b"POST")]
            raise Refusal(405, "method_not_allowed", "Only POST is taken here", headers=allow)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            device = await self._login.device_of(headers.get(b"authorization"))
            await self._check_quota(device, headers, receive)
            self._batcher.check_room()
            body = await self._body(headers, receive)
            submission = self._decode(device, headers.get(b"content-type", b""), body)
            if not len(submission):
                return _NOTHING
            return await self._submit(device, submission)
        except Refusal:
            raise
        except Overloaded as error:
            raise come_again(429, str(error), self._retry_after_s) from error
        except Unavailable as error:
            raise come_again(503, str(error), self._retry_after_s) from error
        except _GoneError:
            raise
        except Exception as error:
            _log.error("request failed", error=repr(error))
            detail = "the platform could not look into the request; send again later"
            raise come_again(503, detail, self._retry_after_s) from error

    async def _check_quota(
        self, device: int, headers: dict[bytes, bytes], receive: Receive
    ) -> None:
        """Refuse, before its body is looked at, a device whose organization is over its quota.

        A body of moderate size is thrown away first: an answer in the midst of it would end the
        connection, and the device might never see it.
        """
        wait_s = self._quotas.wait_s(device)
        if wait_s <= 0:
            return
        self._metrics.request_over_quota("readings_per_s")
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) <= _THROWN_AWAY_MAX:
            await _throw_away(receive)
        raise over_quota(wait_s)

    async def _submit(self, device: int, submission: Submission) -> Receipt:
        """Charge for the readings and queue them; what is not stored is given back."""
        self._quotas.charge(device, len(submission))
        try:
            return await self._batcher.submit(submission)
        except (Overloaded, Unavailable):
            self._quotas.charge(device, -len(submission))
            raise

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The body, expanded; a limit stops it as soon as it is passed."""
        size_max = self._limits.body_size
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > size_max:
            raise too_large(size_max, "a body")
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body") or message["type"] != "http.request":
            body = await _rest(message, receive, size_max)
        if len(body) > size_max:
            raise too_large(size_max, "a body")
        encoding = headers.get(b"content-encoding")
        return body if encoding is None else expand(body, encoding, self._limits.expanded_size)

    def _decode(self, device: int, content_type: bytes, body: bytes) -> Submission:
        """The body as readings of known or unknown sensors; raises Refusal (415, 422)."""
        media_type = content_type.partition(b";")[0].strip().lower()
        try:
            if media_type == _JSON:
                return self._decode_json(device, body)
            if media_type == _ARROW:
                return self._decode_arrow(device, body)
        except WireError as error:
            raise unreadable(str(error)) from error
        raise unsupported(f"Content-Type {media_type.decode('latin-1')!r}", _KNOWN_TYPES)

    def _decode_json(self, device: int, body: bytes) -> Submission:
        readings = decode_json(body, self._limits.body_readings)
        metadata, bad = check_metadata(readings.metadata, self._limits.metadata_size)
        return Submission(
            device=device,
            sensor=self._directory.find_by_name(device, readings.sensors),
            t_us=readings.t_us,
            values=readings.values,
            metadata=metadata,
            malformed=readings.malformed + bad,
        )

    def _decode_arrow(self, device: int, body: bytes) -> Submission:
        readings = decode_arrow(body, self._limits.body_readings)
        metadata, bad = check_metadata(readings.metadata, self._limits.metadata_size)
        return Submission(
            device=device,
            sensor=self._directory.find_sensors(readings.sensor_high, readings.sensor_low),
            t_us=readings.t_us,
            values=readings.value,
            metadata=metadata,
            malformed=bad,
        )


async def _throw_away(receive: Receive) -> None:
    """Take a body from the network, and nothing of it."""
    message = await receive()
    while message["type"] == "http.request" and message.get("more_body"):
        message = await receive()


async def _rest(message: dict[str, Any], receive: Receive, size_max: int) -> bytes:
    """A body that comes in several pieces."""
    pieces: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > size_max:
            raise too_large(size_max, "a body")
        if not message.get("more_body"):
            return b"".join(pieces)
        message = await receive()
    raise _GoneError


async def _reply(
    send: Send, status: int, media_type: bytes, body: bytes, headers: Headers = ()
) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type),
                (b"content-length", b"%d" % len(body)),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
