"""The catalogue of device types and its versions: put once, kept for ever, never changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import transaction
from fleetplatform.errors import ConflictError, InvalidError, NotFoundError
from fleetplatform.wire.device_type import DeviceTypeSpecification, SensorSpecification
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.device_types import DeviceType
from fleetplatform.wire.specification import mistakes

MISTAKES_MAX = 20

_queries: Any = load(__file__)

VersionedName = tuple[str, str | None]
"""A device type's name and version; None is the version that was put last."""


@dataclass(frozen=True, slots=True)
class KnownType:
    """One version of a device type as enrolment needs it; sensors by name, in order.

    firmware: the hardware revisions that each version of it fits; empty: nothing is said of any ·
    configuration: JSON Schema of its settings.
    """

    device_type_id: UUID
    version: str
    sensors: dict[str, SensorSpecification]
    hardware_revisions: tuple[str, ...]
    firmware: dict[str, tuple[str, ...]]
    configuration: dict[str, Any]

    @property
    def key(self) -> tuple[UUID, str]:
        """What tells it from every other."""
        return self.device_type_id, self.version


async def put(pool: Pool, specification: DeviceTypeSpecification) -> DeviceType:
    """Store a version of a device type; the same again changes nothing.

    Raises InvalidError with a sentence for each mistake, and ConflictError when the version is
    there already and says something else.
    """
    check(specification)
    name, version = specification.name, specification.version
    async with transaction(pool, None) as conn:
        await _queries.add_device_type(conn, name=name, version=version)
        known = await _read(conn, name, version)
        if known is None:
            await _queries.add_device_type_version(
                conn, name=name, version=version, specification=msgspec.to_builtins(specification)
            )
            known = await _read(conn, name, version)
    if known is None or not _equal(known.specification, specification):
        raise ConflictError(
            f'version "{version}" of device type "{name}" says something else and never changes;'
            " put what is new under a new version"
        )
    return known


def _equal(one: DeviceTypeSpecification, other: DeviceTypeSpecification) -> bool:
    """The order of sensors is part of what a specification says."""
    return one == other and list(one.sensors) == list(other.sensors)


async def listed(pool: Pool, page: Page) -> list[DeviceType]:
    """Device types as they were put last, in order of name; one more than the page."""
    async with transaction(pool, None) as conn:
        return [
            _device_type(row)
            async for row in _queries.list_device_types(
                conn,
                descending=page.descending,
                after_name=page.after_value,
                count=page.limit + 1,
            )
        ]


async def read(pool: Pool, name: str, version: str | None) -> DeviceType:
    """One version of a device type, the last one for None; raises NotFoundError."""
    async with transaction(pool, None) as conn:
        found = await _read(conn, name, version)
    if found is None:
        which = "" if version is None else f' with version "{version}"'
        raise NotFoundError(f'there is no device type "{name}"{which}')
    return found


async def _read(conn: Connection, name: str, version: str | None) -> DeviceType | None:
    row = await _queries.read_device_type(conn, name=name, version=version)
    return None if row is None else _device_type(row)


def _device_type(row: Any) -> DeviceType:
    return DeviceType(
        device_type_id=row["device_type_id"],
        specification=msgspec.convert(row["specification"], DeviceTypeSpecification),
        versions=tuple(row["versions"]),
    )


async def find(conn: Connection, wanted: Iterable[VersionedName]) -> dict[VersionedName, KnownType]:
    """Those of the device types that exist, each in the version that was asked for."""
    pairs = list(set(wanted))
    found: dict[VersionedName, KnownType] = {}
    async for row in _queries.find_device_types(
        conn, names=[name for name, _ in pairs], versions=[version for _, version in pairs]
    ):
        specification = msgspec.convert(row["specification"], DeviceTypeSpecification)
        found[row["name"], row["wanted"]] = KnownType(
            row["device_type_id"],
            specification.version,
            specification.sensors,
            specification.hardware_revisions,
            specification.firmware,
            specification.configuration,
        )
    return found


def check(specification: DeviceTypeSpecification) -> None:
    """Raise InvalidError, a sentence for each mistake, for what no device can be."""
    found = [f"{place}: {what}" for place, what in mistakes(specification)]
    if found:
        more = len(found) - MISTAKES_MAX
        rest = [f"and {more} more mistakes"] if more > 0 else []
        raise InvalidError("; ".join([*found[:MISTAKES_MAX], *rest]))
