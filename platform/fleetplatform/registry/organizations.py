"""Tenants and the keys of their programs."""

from typing import Any
from uuid import UUID

import asyncpg

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import transaction
from fleetplatform.errors import NotFoundError
from fleetplatform.registry.tokens import digest, new_token
from fleetplatform.wire.resources import NewOrganization, Organization

_queries: Any = load(__file__)


async def create(pool: Pool, new: NewOrganization) -> Organization:
    """A new tenant with its first API key; raises NotFoundError for an unknown parent."""
    async with pool.acquire() as conn:
        (organization_id,) = await _queries.new_ids(conn, count=1)
    token, token_sha256 = new_token()
    try:
        async with transaction(pool, organization_id) as conn:
            await _queries.add_organization(
                conn, organization_id=organization_id, parent_id=new.parent_id, name=new.name
            )
            await _queries.add_api_key(
                conn, organization_id=organization_id, token_sha256=token_sha256
            )
    except asyncpg.ForeignKeyViolationError:
        raise NotFoundError(f"there is no organization {new.parent_id}") from None
    return Organization(organization_id=organization_id, name=new.name, api_key=token)


async def find_by_key(pool: Pool, api_key: str) -> UUID | None:
    """The organization that an API key belongs to."""
    async with pool.acquire() as conn:
        found: UUID | None = await _queries.find_api_key(conn, sha256=digest(api_key))
    return found
