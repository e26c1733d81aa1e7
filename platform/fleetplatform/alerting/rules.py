"""Rules are checked when they are saved, so that none can fail on a reading."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import asyncpg

from fleetconf import kinds
from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError
from fleetplatform.registry import quotas
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.alerts import AlertRule, NewAlertRule

NAME_MAX = 200
SEVERITIES = ("info", "warning", "critical")

_queries: Any = load(__file__)


def find_conditions() -> dict[str, ModuleType]:
    """The conditions that exist, by the key under which a rule names them."""
    return kinds.find("fleetplatform.alerting.conditions")


def check(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions as they will be used; raises ValueError with one sentence."""
    known = find_conditions()
    if not conditions:
        raise ValueError(f"a rule needs at least one condition: {', '.join(sorted(known))}")
    checked = {}
    for key, limit in conditions.items():
        if key not in known:
            raise ValueError(f"{key}: unknown condition; known are {', '.join(sorted(known))}")
        try:
            checked[key] = known[key].check(limit)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    return checked


async def create(pool: Pool, tenant: Tenant, new: NewAlertRule) -> AlertRule:
    """Save a rule; raises InvalidError, QuotaError, or ConflictError for a name that is taken."""
    conditions, sensor_type = _checked(new)
    try:
        async with transaction(pool, tenant) as conn:
            await quotas.ensure_room(conn, "rules", 1)
            rule_id = await _queries.add_rule(
                conn,
                organization_id=tenant.organization,
                name=new.name,
                conditions=conditions,
                severity=new.severity,
                device_type=new.device_type,
                sensor_type=sensor_type,
                sensor_id=new.sensor_id,
            )
    except asyncpg.UniqueViolationError:
        raise ConflictError(f"there is a rule {new.name!r} already") from None
    except asyncpg.ForeignKeyViolationError as error:
        if "device_type" in (error.constraint_name or ""):
            raise InvalidError(f"there is no device type {new.device_type!r}") from None
        raise InvalidError(f"there is no sensor {new.sensor_id}") from None
    return AlertRule(
        organization_id=tenant.organization,
        rule_id=rule_id,
        name=new.name,
        conditions=conditions,
        severity=new.severity,
        device_type=new.device_type,
        sensor_type=new.sensor_type,
        sensor_id=new.sensor_id,
    )


def _checked(new: NewAlertRule) -> tuple[dict[str, Any], int | None]:
    """The conditions as they will be used, and the code of the sensor type."""
    if not 1 <= len(new.name) <= NAME_MAX:
        raise InvalidError(f"name: write 1 to {NAME_MAX} characters")
    if new.severity not in SEVERITIES:
        raise InvalidError(f"severity: {new.severity!r} is not one of {', '.join(SEVERITIES)}")
    try:
        conditions = check(new.conditions)
    except ValueError as error:
        raise InvalidError(f"conditions: {error}") from None
    if new.sensor_type is None:
        return conditions, None
    try:
        return conditions, int(SensorType.of(new.sensor_type))
    except KeyError:
        known = ", ".join(one.label for one in SensorType)
        raise InvalidError(f"sensor_type: {new.sensor_type!r} is not one of {known}") from None


async def listed(pool: Pool, tenant: Tenant, page: Page) -> list[AlertRule]:
    """The active rules that the tenant sees, in order of name; one more than the page."""
    async with transaction(pool, tenant) as conn:
        return [
            AlertRule(
                organization_id=row["organization_id"],
                rule_id=row["rule_id"],
                name=row["name"],
                conditions=row["conditions"],
                severity=row["severity"],
                device_type=row["device_type"],
                sensor_type=_label(row["sensor_type"]),
                sensor_id=row["sensor_id"],
            )
            async for row in _queries.rules(
                conn,
                descending=page.descending,
                after_name=page.after_value,
                after_id=page.after_id,
                count=page.limit + 1,
            )
        ]


def _label(code: int | None) -> str | None:
    return None if code is None else SensorType(code).label
