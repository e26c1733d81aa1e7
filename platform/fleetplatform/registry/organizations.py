"""Tenants as a tree, and who works in which of them."""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NoReturn
from uuid import UUID

import asyncpg
from msgspec import UNSET

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, ForbiddenError, NotFoundError
from fleetplatform.registry.revisions import check_revision
from fleetplatform.registry.tokens import digest, new_token
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.organizations import (
    FoundedOrganization,
    NewOrganization,
    Organization,
    OrganizationChange,
    Organizations,
)

OPERATOR = "operator"
"""The actor for what the platform's operator does."""

_TREE = {
    "organizations_no_cycle": "organization_cycle",
    "organizations_depth": "organization_depth",
}
_UNKNOWN = "there is no such organization"
_queries: Any = load(__file__)


class Role(IntEnum):
    """What somebody may do in an organization; each may all that those before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """Who showed a token: as whom their transactions work, and what they may do.

    A tenant of None: the operator of the platform, who has not said in which organization.
    """

    tenant: Tenant | None
    role: Role

    @property
    def actor(self) -> str:
        """Who it is, for the audit log."""
        return OPERATOR if self.tenant is None else self.tenant.actor

    @property
    def user_id(self) -> UUID | None:
        """The person, where it is one."""
        kind, _, name = self.actor.partition(":")
        return UUID(name) if kind == "user" else None


def check_may_give(principal: Principal, role: str) -> None:
    """Raise ForbiddenError (role_too_high) for a role above that of who gives it."""
    if Role[role.upper()] > principal.role:
        own = principal.role.name.lower()
        raise ForbiddenError(f"role: who is {own} cannot give {role}", code="role_too_high")


async def create(
    pool: Pool, new: NewOrganization, principal: Principal | None = None
) -> FoundedOrganization:
    """A new tenant with its first API key, below what its maker sees; None: made by the operator.

    Raises NotFoundError for a parent that they do not see, ConflictError (organization_depth), and
    ForbiddenError (organization_bounded): what is below an organization has no quotas of its own,
    so who has quotas could have any number of devices there.
    """
    tenant = None if principal is None else principal.tenant
    parent = new.parent_id if tenant is None else new.parent_id or tenant.organization
    if parent is not None:
        await act_in(pool, tenant, parent)
    if tenant is not None:
        await _check_unbounded(pool, tenant, parent)
    async with pool.acquire() as conn:
        (organization_id,) = await _queries.new_ids(conn, count=1)
    token, token_sha256 = new_token()
    made = Tenant(organization_id, OPERATOR if tenant is None else tenant.actor)
    try:
        async with transaction(pool, made) as conn:
            row = await _queries.add_organization(
                conn, organization_id=organization_id, parent_id=parent, name=new.name
            )
            await _queries.add_api_key(
                conn,
                organization_id=organization_id,
                name="first",
                role="admin",
                user_id=None,
                token_sha256=token_sha256,
            )
    except asyncpg.CheckViolationError as error:
        _refuse(error)
    return FoundedOrganization(**_shown(row), api_key=token)


async def _check_unbounded(pool: Pool, tenant: Tenant, parent: UUID | None) -> None:
    async with transaction(pool, tenant) as conn:
        if await _queries.is_bounded(conn, organization_id=parent):
            raise ForbiddenError(
                "an organization with quotas has others made below it by the operator alone",
                code="organization_bounded",
            )


async def read(pool: Pool, tenant: Tenant | None, organization: UUID) -> Organization:
    """One organization of the visible tree; raises NotFoundError for any other."""
    async with transaction(pool, tenant) as conn:
        await _see(conn, tenant)
        row = await _queries.find_organization(conn, organization_id=organization)
    if row is None:
        raise NotFoundError(_UNKNOWN)
    return Organization(**_shown(row))


async def list_page(pool: Pool, tenant: Tenant | None, page: Page) -> Organizations:
    """A part of the visible tree, sorted by name or created."""
    async with transaction(pool, tenant) as conn:
        await _see(conn, tenant)
        found = [
            Organization(**_shown(row))
            async for row in _queries.list_organizations(conn, **keyset(page), count=page.limit + 1)
        ]
    shown, cursor = cut(found, page, lambda one: (one.name, one.organization_id))
    return Organizations(organizations=shown, next_cursor=cursor)


async def change(
    pool: Pool,
    tenant: Tenant | None,
    organization: UUID,
    new: OrganizationChange,
    expected: int | None,
) -> Organization:
    """Another name; for the operator, another place in the tree.

    Raises NotFoundError for what is not in the visible tree and for an unknown parent,
    ForbiddenError, StaleError and ConflictError (organization_cycle, organization_depth).
    """
    inside = await act_in(pool, tenant, organization)
    parent = None if new.parent_id is UNSET else new.parent_id
    if new.parent_id is not UNSET and inside.actor != OPERATOR:
        raise ForbiddenError("parent_id: only the operator moves an organization in the tree")
    if parent is not None:
        await act_in(pool, None, parent)
    try:
        async with transaction(pool, inside) as conn:
            row = await _queries.lock_organization(conn, organization_id=organization)
            check_revision(row["revision"], expected)
            row = await _queries.change_organization(
                conn,
                organization_id=organization,
                name=None if new.name is UNSET else new.name,
                moves=new.parent_id is not UNSET,
                parent_id=parent,
            )
    except asyncpg.CheckViolationError as error:
        _refuse(error)
    return Organization(**_shown(row))


async def act_in(pool: Pool, tenant: Tenant | None, organization: UUID) -> Tenant:
    """The same person in an organization that they see; tenant None: the operator, who sees all.

    Raises NotFoundError for any other organization.
    """
    ancestor = None if tenant is None else tenant.organization
    if organization != ancestor:
        async with pool.acquire() as conn:
            found = await _queries.is_within(
                conn, organization_id=organization, ancestor=ancestor
            )
        if not found:
            raise NotFoundError(_UNKNOWN)
    if tenant is None:
        return Tenant(organization, OPERATOR)
    return replace(tenant, organization=organization)


async def find_principal(pool: Pool, token: str) -> Principal | None:
    """Who a token belongs to; None for one that is unknown or no longer good."""
    async with pool.acquire() as conn:
        row = await _queries.find_principal(conn, sha256=digest(token))
    if row is None:
        return None
    groups = None if row["device_groups"] is None else tuple(row["device_groups"])
    tenant = Tenant(row["organization_id"], row["actor"], groups)
    return Principal(tenant, Role[row["role"].upper()])


def keyset(page: Page) -> dict[str, Any]:
    """Where a page begins and in which order it goes, as the queries of lists take it."""
    return {
        "sort": page.sort,
        "descending": page.descending,
        "after_value": page.after_value,
        "after_id": page.after_id,
    }


async def _see(conn: Connection, tenant: Tenant | None) -> None:
    if tenant is None:
        await _queries.see_every_organization(conn)


def _refuse(error: asyncpg.CheckViolationError) -> NoReturn:
    code = _TREE.get(error.constraint_name or "")
    if code is None:
        raise error
    raise ConflictError(f"parent_id: {error.message}", code=code) from None


def _shown(row: Any) -> dict[str, Any]:
    """The members of an organization, from its row."""
    return {
        "organization_id": row["organization_id"],
        "parent_id": row["parent_id"],
        "name": row["name"],
        "created_at_us": to_us(row["created_at"]),
        "revision": row["revision"],
    }
