"""Who asks, and what they may do: the operator of the platform, or somebody of an organization.

A route that takes the dependency `tenant` (or `principal`, with the role) is for members: to
read one must be a viewer, to change something an operator, and a route says
`opt={"role": Role.ADMIN}` where that is not enough. Members act in their own organization or, with
the header Fleetstorm-Organization, in one below it; the operator acts in any.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter

from fleetplatform.api.live import Streams
from fleetplatform.database.clock import PlatformClock
from fleetplatform.database.pool import Pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import ForbiddenError
from fleetplatform.registry import organizations
from fleetplatform.registry.devices import Contact
from fleetplatform.registry.organizations import Principal, Role
from fleetplatform.settings import ArchiveSettings, EncryptionKeys

ACTING_IN = "Fleetstorm-Organization"

_SCHEME = "bearer "
_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Context:
    """What every route may use.

    operator_sha256: digest of the operator's token · settle: returns when every reading that was
    taken before has been answered for · offline_after_us: a device not heard of for longer, in
    virtual time, is offline · encryption: what opens readings of sensitive sensors ·
    credential_overlap_s: how long a device's tokens stay good beside a new one ·
    idempotency_kept_s: so long an answer can be had again · import_lines_max: devices an import ·
    archive: where readings go that policies archive · streams: who follows readings.
    """

    pool: Pool
    clock: PlatformClock
    operator_sha256: bytes
    settle: Callable[[], Awaitable[None]]
    offline_after_us: int
    encryption: EncryptionKeys | None
    credential_overlap_s: float
    import_lines_max: int
    idempotency_kept_s: float
    archive: ArchiveSettings
    streams: Streams

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
    if not is_operator(context, token):
        await _principal(context, token)
        raise PermissionDeniedException("only the operator may do this")


async def operator_or_member(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """A guard: anybody who is known may do this."""
    context: Context = connection.app.state.context
    token = token_of(connection)
    if not is_operator(context, token):
        await _principal(context, token)


async def provide_principal(
    request: Request,  # type: ignore[type-arg]
    acting_in: Annotated[
        UUID | None,
        HeaderParameter(
            name=ACTING_IN,
            description="the organization to act in: the token's own, or one below it",
        ),
    ] = None,
) -> Principal:
    """Who asks, in the organization where they act.

    Raises PermissionDeniedException where the role is not enough, and NotFoundError for an
    organization that they do not see.
    """
    context: Context = request.app.state.context
    principal = await _known(context, token_of(request))
    if principal.tenant is not None:
        _check_role(principal, request)
    return await _acting_in(context, principal, acting_in)


async def viewer(context: Context, token: str, acting_in: UUID | None) -> Tenant:
    """As whom the bearer of a token reads, for what goes on after its request was let in.

    Raises what `provide_principal` and `provide_tenant` raise.
    """
    principal = await _known(context, token)
    return await provide_tenant(await _acting_in(context, principal, acting_in))


async def _known(context: Context, token: str) -> Principal:
    if is_operator(context, token):
        return Principal(None, Role.ADMIN)
    return await _principal(context, token)


async def _acting_in(
    context: Context, principal: Principal, organization: UUID | None
) -> Principal:
    if organization is None:
        return principal
    tenant = await organizations.act_in(context.pool, principal.tenant, organization)
    return replace(principal, tenant=tenant)


async def provide_tenant(principal: Principal) -> Tenant:
    """As whom a request works; raises ForbiddenError for the operator in no organization."""
    if principal.tenant is None:
        message = "say in which organization: send the header Fleetstorm-Organization: <id>"
        raise ForbiddenError(message, code="organization_unsaid")
    return principal.tenant


def _check_role(principal: Principal, request: Request) -> None:  # type: ignore[type-arg]
    needed = role_of(request.route_handler, request.method)
    if principal.role < needed:
        has, must = principal.role.name.lower(), needed.name.lower()
        raise PermissionDeniedException(f"this takes the role {must}; the token has {has}")


def role_of(handler: BaseRouteHandler, method: str) -> Role:
    """The role that a route for members takes."""
    usual = Role.VIEWER if method in _SAFE else Role.OPERATOR
    needed: Role = handler.opt.get("role", usual)
    return needed


async def caller(connection: ASGIConnection) -> Tenant:  # type: ignore[type-arg]
    """Who sends a request, whatever they may do; the operator is of the nil organization.

    Raises NotAuthorizedException.
    """
    context: Context = connection.app.state.context
    token = token_of(connection)
    if is_operator(context, token):
        return Tenant(UUID(int=0), organizations.OPERATOR)
    found = await _principal(context, token)
    assert found.tenant is not None
    return Tenant(found.tenant.organization, found.tenant.actor)


async def _principal(context: Context, token: str) -> Principal:
    found = await organizations.find_principal(context.pool, token)
    if found is None:
        raise NotAuthorizedException("the token is not known")
    return found
