"""What is there before the first reading: the run's organization, its device types, its rules.

All of it is made through the platform's own API, by the operator and by the organization itself,
so a platform that runs elsewhere serves as well. `run` calls it, once, before the fleet enrols.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import msgspec

from fleetplatform.client import Client
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetsim.settings import DeviceTypeSettings, RuleOfOracle


class PrepareSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key `prepare` of a run."""

    alert_rules: tuple[NewAlertRule, ...]


@dataclass(frozen=True)
class Tenant:
    """The organization of a run: who it is, its key, and the rules that its oracle must know."""

    organization_id: UUID
    api_key: str
    rules: tuple[RuleOfOracle, ...]


async def prepare(
    url: str,
    operator_token: str,
    run_id: str,
    settings: PrepareSettings,
    device_types: Mapping[str, DeviceTypeSettings],
) -> Tenant:
    """Make the organization `run-<id>-1` and what it needs; raises ApiError."""
    async with Client(url, operator_token) as operator:
        organization = await operator.create_organization(f"run-{run_id}-1")
        for device_type in device_types.values():
            await operator.put_device_type(device_type.specification)
    async with Client(url, organization.api_key) as member:
        for rule in settings.alert_rules:
            await member.create_alert_rule(rule)
    rules = tuple(_as_oracle_sees_it(rule) for rule in settings.alert_rules)
    return Tenant(organization.organization_id, organization.api_key, rules)


def _as_oracle_sees_it(rule: NewAlertRule) -> RuleOfOracle:
    return RuleOfOracle(
        name=rule.name,
        conditions=rule.conditions,
        device_type=rule.device_type,
        sensor_type=rule.sensor_type,
    )
