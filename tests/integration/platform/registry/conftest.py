"""The registry without a service around it: a database, its rooms' functions, an organization."""

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.registry.devices import Contact
from fleetplatform.settings import PlatformSettings
from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization
from fleetstorm.stack.postgres import PostgresServer

CONTACT = Contact(1_780_000_000_000_000, 900_000_000)


@dataclass
class Registry:
    """A pool as the API has it, and a connection that sees everything."""

    pool: Pool
    owner: asyncpg.Connection

    async def tenant(self) -> Tenant:
        """A new organization."""
        made = await organizations.create(self.pool, NewOrganization(name="tenant"))
        return Tenant(made.organization_id)

    async def enrol(self, tenant: Tenant, *new: NewDevice) -> dict[str, UUID]:
        """Devices by serial number."""
        made = await devices.enrol(self.pool, tenant, new)
        pairs = zip(new, made.devices, strict=True)
        return {one.serial_number: device.device_id for one, device in pairs}

    async def members(self, group: UUID) -> set[UUID]:
        """The devices in a group, as they are stored."""
        rows = await self.owner.fetch(
            "select device_id from iot.device_group_members where group_id = $1", group
        )
        return {row["device_id"] for row in rows}


@pytest.fixture(scope="session")
async def registry(
    postgres: PostgresServer,
    make_settings: Callable[[], PlatformSettings],
    specification: Callable[[str], Any],
) -> AsyncIterator[Registry]:
    """A registry that knows thermometers and gateways; each test makes its organizations."""
    name, settings = f"registry_{uuid.uuid4().hex[:12]}", make_settings()
    server = await asyncpg.connect(postgres.url())
    await server.execute(f'create database "{name}" template template0')
    prepared = await prepare_database(postgres.url(name), settings)
    owner = await asyncpg.connect(prepared.owner_url)
    pool = await open_pool(prepared.urls["iot_api"], settings.database, "iot_api")
    for kind in ("thermometer", "gateway"):
        # Whose firmware says nothing of versions, so that devices may run any.
        any_firmware = msgspec.structs.replace(specification(kind), firmware={})
        await device_types.put(pool, any_firmware)
    yield Registry(pool, owner)
    await pool.close()
    await owner.close()
    await server.execute(f'drop database "{name}" with (force)')
    await server.close()
