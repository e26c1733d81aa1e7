"""Who asks: the operator of the platform, or a program of an organization."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from fleetplatform.database.clock import PlatformClock
from fleetplatform.database.pool import Pool
from fleetplatform.registry import organizations
from fleetplatform.registry.devices import Contact
from fleetplatform.registry.life_cycle import Actor

_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class Context:
    """What every route may use.

    operator_sha256: digest of the operator's token · settle: returns when every reading that was
    taken before has been answered for · offline_after_us: a device not heard of for longer, in
    virtual time, is offline.
    """

    pool: Pool
    clock: PlatformClock
    operator_sha256: bytes
    settle: Callable[[], Awaitable[None]]
    offline_after_us: int

    def contact(self) -> Contact:
        """What tells the devices that are online now."""
        return Contact(self.clock.now_us(), self.offline_after_us)


def token_of(connection: ASGIConnection) -> str:  # type: ignore[type-arg]
    """The bearer token of a request; raises NotAuthorizedException without one."""
    authorization = connection.headers.get("authorization", "")
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        raise NotAuthorizedException("send the header Authorization: Bearer <token>")
    return authorization[len(_SCHEME) :].strip()


def is_operator(context: Context, token: str) -> bool:
    """Whether a token is the operator's."""
    found = hashlib.sha256(token.encode()).digest()
    return hmac.compare_digest(found, context.operator_sha256)


async def operator_only(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """A guard: the operator alone may do this."""
    context: Context = connection.app.state.context
    token = token_of(connection)
    if is_operator(context, token):
        return
    if await organizations.find_by_key(context.pool, token) is None:
        raise NotAuthorizedException("the token is not known")
    raise PermissionDeniedException("only the operator may do this")


async def operator_or_program(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """A guard: anybody who is known may do this."""
    context: Context = connection.app.state.context
    token = token_of(connection)
    if not is_operator(context, token):
        await _organization(context, token)


async def provide_organization(request: Request) -> UUID:  # type: ignore[type-arg]
    """The organization whose API key came."""
    context: Context = request.app.state.context
    token = token_of(request)
    if is_operator(context, token):
        raise PermissionDeniedException("use an organization's API key, not the operator's token")
    return await _organization(context, token)


async def provide_actor(request: Request, organization: UUID) -> Actor:  # type: ignore[type-arg]
    """The API key that came, as the one that changes something."""
    return Actor(organization, token_of(request))


async def _organization(context: Context, token: str) -> UUID:
    found = await organizations.find_by_key(context.pool, token)
    if found is None:
        raise NotAuthorizedException("the token is not known")
    return found
