"""People of an organization: who they are, and what they may do and see."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
from msgspec import UNSET

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError, NotFoundError
from fleetplatform.registry.api_keys import check_admin_keys, lock_admin_keys
from fleetplatform.registry.organizations import Principal, check_may_give, keyset
from fleetplatform.registry.revisions import check_revision
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.users import NewUser, User, UserChange, Users

_UNKNOWN = "the organization has no such user"
_queries: Any = load(__file__)


async def create(pool: Pool, tenant: Tenant, principal: Principal, new: NewUser) -> User:
    """Enter a person.

    Raises ForbiddenError (role_too_high), InvalidError (only_viewers_limited), ConflictError
    (name_taken).
    """
    check_may_give(principal, new.role)
    with _refusals(new.name):
        async with transaction(pool, tenant) as conn:
            row = await _queries.add_user(
                conn,
                organization_id=tenant.organization,
                name=new.name,
                email=new.email,
                role=new.role,
                sees_all=new.sees_all,
            )
    return _shown(row)


async def read(pool: Pool, tenant: Tenant, user: UUID) -> User:
    """One person; raises NotFoundError for somebody who is not seen."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.find_user(conn, user_id=user)
    if row is None:
        raise NotFoundError(_UNKNOWN)
    return _shown(row)


async def list_page(pool: Pool, tenant: Tenant, page: Page) -> Users:
    """A part of the people who are seen, sorted by name or created."""
    async with transaction(pool, tenant) as conn:
        found = [
            _shown(row)
            async for row in _queries.list_users(conn, **keyset(page), count=page.limit + 1)
        ]
    shown, cursor = cut(found, page, lambda one: (one.name, one.user_id))
    return Users(users=shown, next_cursor=cursor)


async def change(
    pool: Pool,
    tenant: Tenant,
    principal: Principal,
    user: UUID,
    new: UserChange,
    expected: int | None,
) -> User:
    """Change what is said of a person; from then on their keys may what they may.

    Raises as `create` does, NotFoundError, StaleError, and ConflictError (last_admin_key) where
    nobody could govern the organization any more.
    """
    if new.role is not UNSET:
        check_may_give(principal, new.role)
    with _refusals(new.name):
        async with transaction(pool, tenant) as conn:
            before = await lock_admin_keys(conn, tenant)
            row = await _queries.lock_user(
                conn, organization_id=tenant.organization, user_id=user
            )
            if row is None:
                raise NotFoundError(_UNKNOWN)
            check_revision(row["revision"], expected)
            row = await _queries.change_user(
                conn, organization_id=tenant.organization, user_id=user, **_changes(new)
            )
            await check_admin_keys(conn, tenant, before)
    return _shown(row)


def _changes(new: UserChange) -> dict[str, Any]:
    """What changes; None: it stays."""
    given = {
        name: None if (value := getattr(new, name)) is UNSET else value
        for name in ("name", "email", "role", "sees_all", "active")
    }
    return given | {"writes_email": new.email is not UNSET}


@contextmanager
def _refusals(name: object) -> Iterator[None]:
    """What the database refuses, as a sentence."""
    try:
        yield
    except asyncpg.UniqueViolationError:
        raise ConflictError(f"name: there is a user {name!r} already", code="name_taken") from None
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "users_limited_viewer":
            raise
        message = "sees_all: only a viewer can be limited to groups of devices"
        raise InvalidError(message, code="only_viewers_limited") from None


def _shown(row: Any) -> User:
    """A row of a person as the API shows it."""
    return User(
        organization_id=row["organization_id"],
        user_id=row["user_id"],
        name=row["name"],
        email=row["email"],
        role=row["role"],
        sees_all=row["sees_all"],
        created_at_us=to_us(row["created_at"]),
        deactivated_at_us=row["deactivated_at"] and to_us(row["deactivated_at"]),
        revision=row["revision"],
    )
