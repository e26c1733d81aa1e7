"""Keys with which programs and people use the API: only their digests are kept."""

from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, ForbiddenError, NotFoundError
from fleetplatform.registry.organizations import (
    OPERATOR,
    Principal,
    Role,
    check_may_give,
    keyset,
)
from fleetplatform.registry.tokens import new_token
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.api_keys import ApiKey, ApiKeys, IssuedApiKey, NewApiKey

_queries: Any = load(__file__)


async def issue(pool: Pool, tenant: Tenant, principal: Principal, new: NewApiKey) -> IssuedApiKey:
    """A key for a program; raises ForbiddenError (role_too_high)."""
    check_may_give(principal, new.role)
    async with transaction(pool, tenant) as conn:
        return await _add(conn, tenant, new, None)


async def issue_to(
    pool: Pool, tenant: Tenant, principal: Principal, user: UUID, new: NewApiKey
) -> IssuedApiKey:
    """A key for a person; raises NotFoundError, ForbiddenError (role_too_high), ConflictError."""
    check_may_give(principal, new.role)
    async with transaction(pool, tenant) as conn:
        row = await _queries.lock_user(conn, organization_id=tenant.organization, user_id=user)
        if row is None:
            raise NotFoundError("the organization has no such user")
        if row["deactivated_at"] is not None:
            raise ConflictError("the user is deactivated", code="user_deactivated")
        if Role[new.role.upper()] > Role[row["role"].upper()]:
            message = f"role: a key of a user who is {row['role']} cannot be {new.role}"
            raise ForbiddenError(message, code="role_too_high")
        return await _add(conn, tenant, new, user)


async def _add(
    conn: Connection, tenant: Tenant, new: NewApiKey, user: UUID | None
) -> IssuedApiKey:
    token, token_sha256 = new_token()
    row = await _queries.add_api_key(
        conn,
        organization_id=tenant.organization,
        name=new.name,
        role=new.role,
        user_id=user,
        token_sha256=token_sha256,
    )
    return IssuedApiKey(**_shown(row), token=token)


async def list_page(pool: Pool, tenant: Tenant, user: UUID | None, page: Page) -> ApiKeys:
    """A part of the keys that are seen, revoked ones too, all or a user's."""
    async with transaction(pool, tenant) as conn:
        found = [
            ApiKey(**_shown(row))
            async for row in _queries.list_api_keys(
                conn, user_id=user, **keyset(page), count=page.limit + 1
            )
        ]
    shown, cursor = cut(found, page, lambda one: (one.name, one.api_key_id))
    return ApiKeys(api_keys=shown, next_cursor=cursor)


async def revoke(pool: Pool, tenant: Tenant, api_key: UUID) -> None:
    """Refuse a key from now on.

    Raises NotFoundError for one that the organization has not or no longer has, ConflictError
    (last_admin_key) for the last with which it can be governed, unless the operator asks.
    """
    async with transaction(pool, tenant) as conn:
        before = await lock_admin_keys(conn, tenant)
        revoked = await _queries.revoke_api_key(
            conn, organization_id=tenant.organization, api_key_id=api_key
        )
        if revoked is None:
            raise NotFoundError("the organization has no such key")
        await check_admin_keys(conn, tenant, before)


async def lock_admin_keys(conn: Connection, tenant: Tenant) -> int:
    """How many keys of admins there are; nobody else changes that until the transaction ends."""
    await _queries.lock_organization(conn, organization_id=tenant.organization)
    found: int = await _queries.count_admin_keys(conn, organization_id=tenant.organization)
    return found


async def check_admin_keys(conn: Connection, tenant: Tenant, before: int) -> None:
    """Raise ConflictError (last_admin_key) where the last is gone and not by the operator."""
    after = await _queries.count_admin_keys(conn, organization_id=tenant.organization)
    if before and not after and tenant.actor != OPERATOR:
        message = "nobody could govern the organization any more: make another admin's key first"
        raise ConflictError(message, code="last_admin_key")


def _shown(row: Any) -> dict[str, Any]:
    """The members of a key, from its row."""
    return {
        "organization_id": row["organization_id"],
        "api_key_id": row["api_key_id"],
        "name": row["name"],
        "role": row["role"],
        "user_id": row["user_id"],
        "created_at_us": to_us(row["created_at"]),
        "revoked_at_us": row["revoked_at"] and to_us(row["revoked_at"]),
    }
