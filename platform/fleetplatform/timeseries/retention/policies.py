"""What people want to become of readings."""

from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    QuotaError,
    StaleError,
)
from fleetplatform.settings import ArchiveSettings
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.retention import (
    NewRetentionPolicy,
    RetentionPolicies,
    RetentionPolicy,
    RetentionPolicyChange,
)

_queries: Any = load(__file__)


async def create(
    pool: Pool, tenant: Tenant, settings: ArchiveSettings, new: NewRetentionPolicy
) -> RetentionPolicy:
    """A new policy; it holds from the worker's next look.

    Raises InvalidError, QuotaError, and ConflictError (policy_exists, no_archive).
    """
    sensor_type = _checked(new)
    _check_archive(new.action, settings)
    try:
        async with transaction(pool, tenant) as conn:
            if await _queries.count_policies(conn) >= settings.policies:
                raise QuotaError(
                    f"an organization may have {settings.policies:,} retention policies: delete one"
                )
            await _check_days(conn, tenant, new.keep_days)
            row = await _queries.add_policy(
                conn,
                organization_id=tenant.organization,
                device_type=new.device_type,
                sensor_type=sensor_type,
                sensor_id=new.sensor_id,
                keep_days=new.keep_days,
                action=new.action,
            )
    except asyncpg.UniqueViolationError:
        raise ConflictError(
            "the organization has a policy for just these readings: change that one",
            code="policy_exists",
        ) from None
    except asyncpg.ForeignKeyViolationError as error:
        if "device_type" in (error.constraint_name or ""):
            raise InvalidError(f"there is no device type {new.device_type!r}") from None
        raise NotFoundError("the organization has no such sensor") from None
    return _view(row)


async def read(pool: Pool, tenant: Tenant, policy: UUID) -> RetentionPolicy:
    """One policy; raises NotFoundError."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.find_policy(conn, retention_policy_id=policy)
    if row is None:
        raise _missing()
    return _view(row)


async def listed(pool: Pool, tenant: Tenant, page: Page) -> RetentionPolicies:
    """The policies that the tenant sees, in the order of their making."""
    async with transaction(pool, tenant) as conn:
        found = [
            _view(row)
            async for row in _queries.list_policies(
                conn, descending=page.descending, after_id=page.after_id, count=page.limit + 1
            )
        ]
    shown, cursor = cut(found, page, lambda one: ("", one.retention_policy_id))
    return RetentionPolicies(retention_policies=shown, next_cursor=cursor)


async def change(
    pool: Pool,
    tenant: Tenant,
    settings: ArchiveSettings,
    policy: UUID,
    new: RetentionPolicyChange,
    expected: int | None,
) -> RetentionPolicy:
    """Other days or another end; raises what `create` does, NotFoundError and StaleError."""
    async with transaction(pool, tenant) as conn:
        row = await _lock(conn, tenant, policy, expected)
        keep_days = row["keep_days"] if new.keep_days is msgspec.UNSET else new.keep_days
        action = row["action"] if new.action is msgspec.UNSET else new.action
        _check_archive(action, settings)
        await _check_days(conn, tenant, keep_days)
        row = await _queries.change_policy(
            conn,
            organization_id=tenant.organization,
            retention_policy_id=policy,
            keep_days=keep_days,
            action=action,
        )
    return _view(row)


async def delete(pool: Pool, tenant: Tenant, policy: UUID, expected: int | None) -> None:
    """It holds no more; raises NotFoundError, StaleError."""
    async with transaction(pool, tenant) as conn:
        await _lock(conn, tenant, policy, expected)
        await _queries.delete_policy(
            conn, organization_id=tenant.organization, retention_policy_id=policy
        )


def _checked(new: NewRetentionPolicy) -> int | None:
    """The code of the sensor type."""
    if new.sensor_id is not None and (new.device_type or new.sensor_type):
        raise InvalidError("sensor_id: a sensor has its types already, so give it alone")
    if new.sensor_type is None:
        return None
    try:
        return int(SensorType.of(new.sensor_type))
    except KeyError:
        known = ", ".join(one.label for one in SensorType)
        raise InvalidError(f"sensor_type: {new.sensor_type!r} is not one of {known}") from None


def _check_archive(action: str, settings: ArchiveSettings) -> None:
    if action == "archive" and settings.folder is None:
        raise ConflictError(
            "this platform has no archive: its operator gives one in platform.archive.folder",
            code="no_archive",
        )


async def _check_days(conn: Connection, tenant: Tenant, keep_days: int) -> None:
    most = await _queries.storage_days(conn, organization_id=tenant.organization)
    if most is not None and keep_days > most:
        raise QuotaError(
            f"keep_days: the organization's quota keeps readings for {most} days, and {keep_days}"
            " were asked for; ask whoever sets its quotas"
        )


async def _lock(conn: Connection, tenant: Tenant, policy: UUID, expected: int | None) -> Any:
    row = await _queries.lock_policy(
        conn, organization_id=tenant.organization, retention_policy_id=policy
    )
    if row is None:
        raise _missing()
    if expected is not None and row["revision"] != expected:
        raise StaleError("the policy was changed since it was read: read it again")
    return row


def _missing() -> NotFoundError:
    return NotFoundError("the organization has no such retention policy")


def _view(row: Any) -> RetentionPolicy:
    code = row["sensor_type"]
    return RetentionPolicy(
        organization_id=row["organization_id"],
        retention_policy_id=row["retention_policy_id"],
        keep_days=row["keep_days"],
        action=row["action"],
        device_type=row["device_type"],
        sensor_type=None if code is None else _label(code),
        sensor_id=row["sensor_id"],
        created_at_us=to_us(row["created_at"]),
        revision=row["revision"],
    )


def _label(code: int) -> str:
    try:
        return SensorType(code).label
    except ValueError:
        return str(code)
