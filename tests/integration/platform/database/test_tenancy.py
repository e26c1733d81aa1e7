"""A tenant sees its tree, writes its own rows, and nothing else, whatever it asks."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from fleetplatform.database.pool import Pool
from fleetplatform.database.tenancy import Tenant, transaction

OpenPool = Callable[[str], Awaitable[Pool]]

PARENT = UUID("0199aaaa-0000-7000-8000-000000000001")
CHILD = UUID("0199aaaa-0000-7000-8000-000000000002")
GRANDCHILD = UUID("0199aaaa-0000-7000-8000-000000000003")
STRANGER = UUID("0199aaaa-0000-7000-8000-000000000004")
TREE = ((PARENT, None), (CHILD, PARENT), (GRANDCHILD, CHILD), (STRANGER, None))


@pytest.fixture
async def fleet(owner: asyncpg.Connection) -> UUID:
    """Four organizations with a device each; returns the id of the device type."""
    for organization, parent in TREE:
        await owner.execute(
            "insert into iot.organizations (organization_id, parent_id, name) values ($1, $2, 'n')",
            organization,
            parent,
        )
    device_type: UUID = await owner.fetchval(
        "insert into iot.device_types (name, version) values ('t', '1') returning device_type_id"
    )
    await owner.execute(
        "insert into iot.device_type_versions (device_type_id, version, specification)"
        " values ($1, '1', '{}')",
        device_type,
    )
    for organization, _ in TREE:
        await _add_device(owner, organization, device_type)
    return device_type


async def _add_device(
    conn: asyncpg.Connection, organization: UUID, device_type: UUID, gateway: UUID | None = None
) -> None:
    await conn.execute(
        "insert into iot.devices (organization_id, device_id, device_type_id, serial_number,"
        " gateway_id, device_type_version, hardware_revision)"
        " values ($1, $2, $3, $4, $5, '1', '1')",
        organization,
        organization if gateway is None else UUID(int=organization.int + (1 << 64)),
        device_type,
        f"serial {gateway}",
        gateway,
    )


async def _visible(conn: asyncpg.Connection, table: str) -> set[UUID]:
    rows = await conn.fetch(f"select organization_id from iot.{table}")
    return {row["organization_id"] for row in rows}


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        (PARENT, {PARENT, CHILD, GRANDCHILD}),
        (CHILD, {CHILD, GRANDCHILD}),
        (STRANGER, {STRANGER}),
        (None, set()),
    ],
)
@pytest.mark.parametrize("table", ["organizations", "devices"])
async def test_a_tenant_sees_itself_and_what_is_below(
    fleet: UUID, pool_as: OpenPool, tenant: UUID | None, expected: set[UUID], table: str
) -> None:
    async with transaction(await pool_as("iot_api"), Tenant(tenant)) as conn:
        assert await _visible(conn, table) == expected


async def test_the_next_borrower_of_a_connection_is_no_tenant(
    fleet: UUID, pool_as: OpenPool
) -> None:
    pool = await pool_as("iot_api")
    async with transaction(pool, Tenant(PARENT)) as conn:
        assert len(await _visible(conn, "devices")) == 3
    assert await pool.fetch("select 1 from iot.devices") == []
    async with transaction(pool, Tenant(STRANGER)) as conn:
        assert await _visible(conn, "devices") == {STRANGER}


@pytest.mark.parametrize("other", [CHILD, STRANGER])
async def test_a_tenant_adds_no_rows_but_its_own(
    fleet: UUID, pool_as: OpenPool, other: UUID
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with transaction(await pool_as("iot_api"), Tenant(PARENT)) as conn:
            await _add_device(conn, other, fleet, gateway=other)


async def test_a_tenant_changes_no_row_that_it_only_sees(fleet: UUID, pool_as: OpenPool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with transaction(await pool_as("iot_api"), Tenant(PARENT)) as conn:
            await conn.execute(
                "update iot.devices set device_status = 'active' where organization_id = $1", CHILD
            )


async def test_a_row_of_a_stranger_is_not_there_to_be_changed(
    fleet: UUID, pool_as: OpenPool
) -> None:
    async with transaction(await pool_as("iot_api"), Tenant(PARENT)) as conn:
        changed = await conn.execute(
            "update iot.devices set device_status = 'active' where organization_id = $1", STRANGER
        )
    assert changed == "UPDATE 0"


async def test_a_reference_does_not_reach_another_tenant(
    fleet: UUID, pool_as: OpenPool
) -> None:
    """A foreign key looks past row security; with the tenant in it, it finds nothing."""
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with transaction(await pool_as("iot_api"), Tenant(PARENT)) as conn:
            await _add_device(conn, PARENT, fleet, gateway=STRANGER)


async def test_a_new_organization_is_made_as_itself(fleet: UUID, pool_as: OpenPool) -> None:
    new = UUID("0199aaaa-0000-7000-8000-00000000000f")
    async with transaction(await pool_as("iot_api"), Tenant(new)) as conn:
        await conn.execute(
            "insert into iot.organizations (organization_id, name) values ($1, 'new')", new
        )
        assert await _visible(conn, "organizations") == {new}


async def test_the_workers_jobs_see_all_tenants(fleet: UUID, pool_as: OpenPool) -> None:
    async with transaction(await pool_as("iot_worker"), None) as conn:
        assert await _visible(conn, "devices") == {organization for organization, _ in TREE}


async def test_the_index_serves_a_tenants_question(fleet: UUID, pool_as: OpenPool) -> None:
    """The policy is one look at a setting, not one for each row."""
    async with transaction(await pool_as("iot_api"), Tenant(PARENT)) as conn:
        await conn.execute("set local enable_seqscan = off")
        plan = await conn.fetch("explain (costs off) select * from iot.devices")
    text = "\n".join(row[0] for row in plan)
    assert "InitPlan" in text
    assert "Index Cond: (organization_id = ANY" in text
