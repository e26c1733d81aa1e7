"""Tenants and the keys of their programs."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import asyncpg

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import NotFoundError
from fleetplatform.registry.tokens import digest, new_token
from fleetplatform.wire.resources.organizations import NewOrganization, Organization

OPERATOR = "operator"
"""The actor for what the platform's operator does."""

_queries: Any = load(__file__)


class Role(IntEnum):
    """What somebody may do in an organization; each may all that those before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Principal:
    """Who showed a token: as whom their transactions work, and what they may do."""

    tenant: Tenant
    role: Role


async def create(pool: Pool, new: NewOrganization) -> Organization:
    """A new tenant with its first API key; raises NotFoundError for an unknown parent."""
    async with pool.acquire() as conn:
        (organization_id,) = await _queries.new_ids(conn, count=1)
    token, token_sha256 = new_token()
    try:
        async with transaction(pool, Tenant(organization_id, OPERATOR)) as conn:
            await _queries.add_organization(
                conn, organization_id=organization_id, parent_id=new.parent_id, name=new.name
            )
            await _queries.add_api_key(
                conn, organization_id=organization_id, token_sha256=token_sha256
            )
    except asyncpg.ForeignKeyViolationError:
        raise NotFoundError(f"there is no organization {new.parent_id}") from None
    return Organization(organization_id=organization_id, name=new.name, api_key=token)


async def find_principal(pool: Pool, token: str) -> Principal | None:
    """Who a token belongs to; None for one that is unknown or no longer good."""
    async with pool.acquire() as conn:
        row = await _queries.find_principal(conn, sha256=digest(token))
    if row is None:
        return None
    groups = None if row["device_groups"] is None else tuple(row["device_groups"])
    tenant = Tenant(row["organization_id"], row["actor"], groups)
    return Principal(tenant, Role[row["role"].upper()])
