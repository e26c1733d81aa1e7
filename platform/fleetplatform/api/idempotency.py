"""Idempotency-Key on every POST: sent again, it is answered again and not done again.

The answer is kept before it is sent, so whoever has not got it can ask for it. Refusals that may
be none the next time (no token, no right, too much, a mistake of the platform) are not kept.
"""

import asyncio
import hashlib
from typing import Any
from uuid import UUID

import msgspec
import structlog
from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import NotAuthorizedException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from fleetplatform.api.access import ACTING_IN, Context, caller, token_of
from fleetplatform.api.sealed import seal, unseal
from fleetplatform.registry import idempotency
from fleetplatform.registry.idempotency import Asked, Kept

HEADER = "Idempotency-Key"

_KEPT_HEADERS = {
    b"content-type", b"content-length", b"etag", b"location", b"www-authenticate", b"retry-after",
    b"allow",
}  # fmt: skip
_NOT_KEPT = {401, 403, 429}
_log = structlog.get_logger()


class _Answer(msgspec.Struct, array_like=True):
    """A whole answer; headers as ASGI has them."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    async def send(self, send: Send) -> None:
        head: Any = {
            "type": "http.response.start", "status": self.status, "headers": self.headers,
        }  # fmt: skip
        await send(head)
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


class Idempotency:
    """The layer around every route; requests without a key pass through it untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        key = request.headers.get(HEADER)
        if key is None:
            return await self._app(scope, receive, send)
        idempotency.check_key(key)
        try:
            tenant = await caller(request)
        except NotAuthorizedException:
            return await self._app(scope, receive, send)
        asked = Asked(tenant, key, _route(request), _digest(await request.body()))
        answer = await self._answer(request, asked)
        return await answer.send(send)

    async def _answer(self, request: Request[Any, Any, Any], asked: Asked) -> _Answer:
        """What was answered before, or what is now."""
        context: Context = request.app.state.context
        claim = await idempotency.claim(context.pool, asked, context.idempotency_kept_s)
        if isinstance(claim, Kept):
            opened = unseal(token_of(request), asked.key, asked.body_sha256, claim.sealed)
            if opened is None:
                raise idempotency.reused()
            return msgspec.msgpack.decode(opened, type=_Answer)
        try:
            answer = await _collect(self._app, request)
        except BaseException:
            await asyncio.shield(_release(context, asked, claim))
            raise
        if answer.status >= 500 or answer.status in _NOT_KEPT:
            await _release(context, asked, claim)
        else:
            await _keep(context, asked, claim, token_of(request), answer)
        return answer


async def _collect(app: ASGIApp, request: Request[Any, Any, Any]) -> _Answer:
    """What the route answers, not sent yet; `request` has read the body, and gives it again."""
    messages: list[Message] = []

    async def take(message: Message) -> None:
        messages.append(message)

    await app(request.scope, request.receive, take)
    head: Any = messages[0]
    headers = [(n, v) for n, v in head["headers"] if n.lower() in _KEPT_HEADERS]
    body = b"".join(m.get("body", b"") for m in messages[1:] if m["type"] == "http.response.body")
    return _Answer(head["status"], headers, body)


async def _keep(context: Context, asked: Asked, claim: UUID, token: str, answer: _Answer) -> None:
    """Keep an answer; without a database the request is done and answered all the same."""
    sealed = seal(token, asked.key, asked.body_sha256, msgspec.msgpack.encode(answer))
    try:
        await idempotency.keep(context.pool, asked, claim, Kept(answer.status, sealed))
    except Exception as error:
        _log.warning("answer not kept", route=asked.route, error=repr(error))


async def _release(context: Context, asked: Asked, claim: UUID) -> None:
    try:
        await idempotency.release(context.pool, asked, claim)
    except Exception as error:  # the claim runs out by itself
        _log.warning("idempotency key not released", route=asked.route, error=repr(error))


def _route(request: Request[Any, Any, Any]) -> str:
    query, organization = request.url.query, request.headers.get(ACTING_IN)
    route = f"{request.method} {request.url.path}" + (f"?{query}" if query else "")
    route += f" in {organization}" if organization else ""
    is_long = len(route) > idempotency.ROUTE_MAX
    return f"SHA-256 {_digest(route.encode()).hex()}" if is_long else route


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
