"""The configurations of devices: made from their type at first, kept in every version."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import NotFoundError
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.resources.provisioning import Configuration, DeviceConfiguration

_queries: Any = load(__file__)


def generate_device_config(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A device's first configuration: every setting of its type's JSON Schema at its default."""
    return {name: setting["default"] for name, setting in schema["properties"].items()}


async def add(conn: Connection, organization: UUID, device: UUID, settings: dict[str, Any]) -> None:
    """Give a device its next configuration."""
    await _queries.add_configuration(
        conn, organization_id=organization, device_id=device, settings=settings
    )


async def of_device(conn: Connection, device: UUID) -> DeviceConfiguration:
    """The configuration that a device has; raises NotFoundError for one that is not seen."""
    row = await _queries.read_configuration(conn, device_id=device)
    if row is None:
        raise NotFoundError("the organization has no such device")
    made = row["created_at"]
    return DeviceConfiguration(
        organization_id=row["organization_id"],
        device_id=row["device_id"],
        version=row["version"] or 0,
        settings=row["settings"] or {},
        created_at_us=None if made is None else to_us(made),
    )


async def read(pool: Pool, tenant: Tenant, device: UUID) -> DeviceConfiguration:
    """The same, for somebody of an organization."""
    async with transaction(pool, tenant) as conn:
        return await of_device(conn, device)


def as_told(found: DeviceConfiguration) -> Configuration:
    """A configuration as the device itself is told."""
    return Configuration(
        version=found.version, settings=found.settings, created_at_us=found.created_at_us
    )
