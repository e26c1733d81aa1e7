"""Revisions follow commits: who asks for what is newer than it has seen misses nothing."""

import asyncio

import asyncpg
import pytest

from fleetplatform.admin import PreparedDatabase


async def _add_type(conn: asyncpg.Connection, name: str) -> int:
    revision: int = await conn.fetchval(
        "insert into iot.device_types (name, version) values ($1, '1') returning revision",
        name,
    )
    return revision


async def test_a_later_revision_commits_later(
    prepared: PreparedDatabase, owner: asyncpg.Connection
) -> None:
    """A second writer waits for the first, so its revision is higher and is seen after."""
    other = await asyncpg.connect(prepared.owner_url)
    async with owner.transaction():
        first = await _add_type(owner, "first")
        waiting = asyncio.create_task(_add_type(other, "second"))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
    assert await waiting > first
    await other.close()


async def test_a_change_moves_the_revision(owner: asyncpg.Connection) -> None:
    first = await _add_type(owner, "t")
    await owner.execute("update iot.device_types set version = '2'")
    assert await owner.fetchval("select revision from iot.device_types") > first


@pytest.fixture
async def device(owner: asyncpg.Connection) -> int:
    """A device; returns its revision."""
    await _add_type(owner, "t")
    await owner.execute("insert into iot.organizations (name) values ('o')")
    await owner.execute(
        "insert into iot.device_type_versions (device_type_id, version, specification)"
        " select device_type_id, version, '{}' from iot.device_types"
    )
    revision: int = await owner.fetchval(
        "insert into iot.devices (organization_id, device_type_id, serial_number,"
        " device_type_version, hardware_revision)"
        " select organization_id, device_type_id, 's', '1', '1'"
        " from iot.organizations, iot.device_types returning revision"
    )
    return revision


async def test_contact_moves_no_revision_and_waits_for_nobody(
    prepared: PreparedDatabase, owner: asyncpg.Connection, device: int
) -> None:
    other = await asyncpg.connect(prepared.urls["iot_ingest"])
    async with owner.transaction():
        await _add_type(owner, "first")
        async with asyncio.timeout(5):
            await other.execute(
                "insert into iot.device_contacts select organization_id, device_id, now()"
                " from iot.devices"
            )
    await other.close()
    assert await owner.fetchval("select revision from iot.devices") == device
    await owner.execute("update iot.devices set device_status = 'active'")
    assert await owner.fetchval("select revision from iot.devices") > device
