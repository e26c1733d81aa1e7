"""No connection of a pool carries one tenant's context to the next, however transactions end."""

import asyncio
import random
import uuid
from typing import Any

import asyncpg
import pytest

from fleetplatform.database.pool import Pool
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.registry import organizations
from fleetplatform.wire.resources.organizations import NewOrganization

TENANTS = 20
CONNECTIONS = 4
AT_ONCE = 24
CANCELLED_SHARE = 0.06
CANCELLED_WITHIN_S = 0.01
MINE = (
    "select organization_id, current_setting('app.actor', true) as actor,"
    " current_setting('app.reason', true) as reason, current_setting('app.device_groups', true)"
    " as device_groups from iot.users"
)


class Requests:
    """Requests of many tenants, each looking at what it sees and what context it has."""

    def __init__(self, pool: Pool, tenants: list[Tenant], seed: int) -> None:
        self._pool = pool
        self._tenants = tenants
        self._random = random.Random(seed)
        self.foreign: list[Any] = []
        self.done = self.cancelled = 0

    async def _one(self, tenant: Tenant, *, fails: bool) -> None:
        async with transaction(self._pool, tenant) as conn:
            await conn.execute("select set_config('app.reason', $1, true)", tenant.actor)
            rows = await conn.fetch(MINE)
            expected = (tenant.organization, tenant.actor, tenant.actor, "")
            self.foreign += [tuple(row) for row in rows if tuple(row) != expected]
            if not rows:
                self.foreign.append((tenant, "sees not even its own"))
            if fails:
                await conn.execute("select 1 / 0")

    async def _nobodys(self) -> None:
        async with transaction(self._pool, None) as conn:
            self.foreign += [tuple(row) for row in await conn.fetch(MINE)]

    async def work(self, count: int) -> None:
        """One worker's requests, one after the other, some of them broken off."""
        for _ in range(count):
            draw = self._random.random()
            tenant = self._random.choice(self._tenants)
            call = self._nobodys() if draw > 0.9 else self._one(tenant, fails=draw < 0.05)
            task = asyncio.create_task(call)
            if self._random.random() < CANCELLED_SHARE:
                await asyncio.wait([task], timeout=self._random.uniform(0, CANCELLED_WITHIN_S))
                task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            self.cancelled += isinstance(outcome, asyncio.CancelledError)
            is_meant = isinstance(outcome, asyncio.CancelledError | asyncpg.DivisionByZeroError)
            assert outcome is None or is_meant, repr(outcome)
            self.done += 1


async def _storm(pool_as: Any, owner: asyncpg.Connection, count: int) -> None:
    pool = await pool_as("iot_api")
    assert pool.get_max_size() == CONNECTIONS
    tenants = []
    for number in range(TENANTS):
        made = await organizations.create(pool, NewOrganization(name=f"{number}"))
        tenants.append(Tenant(made.organization_id, f"api_key:{number}"))
        await owner.execute(
            "insert into iot.users (organization_id, name, role) values ($1, 'x', 'viewer')",
            made.organization_id,
        )
    seed = uuid.uuid4().int & 0xFFFFFFFF
    print(f"seed {seed}")
    requests = Requests(pool, tenants, seed)
    await asyncio.gather(*(requests.work(count // AT_ONCE + 1) for _ in range(AT_ONCE)))
    print(f"{requests.done} requests, {requests.cancelled} of them broken off")
    assert requests.foreign == []
    assert requests.done >= count
    assert requests.cancelled > count * CANCELLED_SHARE / 10


async def test_two_thousand_interleaved_requests(pool_as, owner: asyncpg.Connection) -> None:
    await _storm(pool_as, owner, 2_000)


@pytest.mark.campaign
async def test_twenty_thousand_interleaved_requests(pool_as, owner: asyncpg.Connection) -> None:
    await _storm(pool_as, owner, 20_000)
