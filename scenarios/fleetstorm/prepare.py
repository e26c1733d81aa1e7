"""What is there before the first reading: the run's organizations, device types, quotas, rules.

All of it is made through the platform's own API, by the operator and by the organizations
themselves, so a platform that runs elsewhere serves as well. `run` calls it, once, before the
fleet enrols.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from fleetconf.units import Count, Duration, Rate
from fleetplatform.client import Client
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.quotas import NewQuotas
from fleetplatform.wire.resources.retention import NewRetentionPolicy
from fleetsim.settings import DeviceTypeSettings, RuleOfOracle, Weight

_HISTORY_MAX_S = 10 * 366 * 86_400


class QuotaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an organization may have at most; without a limit where nothing is said."""

    devices: Count | None = None
    readings_per_s: Annotated[Rate, Meta(gt=0)] | None = None
    rules: Count | None = None
    storage_days: Annotated[Count, Meta(ge=1)] | None = None


class OrganizationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One organization of the fleet; `share`: the weight of its devices beside the others."""

    name: str
    share: Weight = 1.0
    quota: QuotaSettings = QuotaSettings()


SOLE = OrganizationSettings(name="main")
"""Whose all devices are where a scenario names no organizations."""


class HistorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Readings that are in the table before the run, of an organization and devices of their own.

    One of each sensor type from each device, every `interval`, for `span` before the load begins.
    Written straight into the database, so only into one of the run's own.
    """

    devices: Annotated[Count, Meta(ge=1)]
    sensor_types: Annotated[tuple[str, ...], Meta(min_length=1)]
    span: Annotated[Duration, Meta(gt=0, le=_HISTORY_MAX_S)]
    interval: Annotated[Duration, Meta(ge=0.001)]

    @property
    def readings(self) -> int:
        """How many they are."""
        return round(self.devices * len(self.sensor_types) * self.span / self.interval)


class PrepareSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key `prepare` of a run."""

    organizations: tuple[OrganizationSettings, ...]
    alert_rules: tuple[NewAlertRule, ...]
    history: HistorySettings | None
    retention_policies: tuple[NewRetentionPolicy, ...]

    @property
    def tenants(self) -> tuple[OrganizationSettings, ...]:
        """The organizations of the run, one at least."""
        return self.organizations or (SOLE,)


@dataclass(frozen=True)
class Prepared:
    """The organizations of a run, in the fleet's order, and the rules that its oracle must know.

    history_id: whose the readings are that were there before the run; None where there are none.
    """

    organization_ids: list[UUID]
    api_keys: list[str]
    rules: tuple[RuleOfOracle, ...]
    history_id: UUID | None = None


async def prepare(
    url: str,
    operator_token: str,
    run_id: str,
    settings: PrepareSettings,
    device_types: Mapping[str, DeviceTypeSettings],
) -> Prepared:
    """Make the organizations `run-<id>-1` … and what they need; raises ApiError."""
    made = []
    past = None
    async with Client(url, operator_token) as operator:
        for number, tenant in enumerate(settings.tenants, 1):
            organization = await operator.create_organization(f"run-{run_id}-{number}")
            made.append(organization)
            if tenant.quota != QuotaSettings():
                quotas = NewQuotas(**msgspec.structs.asdict(tenant.quota))
                await operator.put_quotas(organization.organization_id, quotas)
        if settings.history is not None:
            past = await operator.create_organization(f"run-{run_id}-history")
        for device_type in device_types.values():
            await operator.put_device_type(device_type.specification)
    for organization in made:
        async with Client(url, organization.api_key) as member:
            for rule in settings.alert_rules:
                await member.create_alert_rule(rule)
            for policy in settings.retention_policies:
                await member.create_retention_policy(policy)
    return Prepared(
        organization_ids=[one.organization_id for one in made],
        api_keys=[one.api_key for one in made],
        rules=tuple(_as_oracle_sees_it(rule) for rule in settings.alert_rules),
        history_id=past.organization_id if past else None,
    )


def _as_oracle_sees_it(rule: NewAlertRule) -> RuleOfOracle:
    return RuleOfOracle(
        name=rule.name,
        conditions=rule.conditions,
        device_type=rule.device_type,
        sensor_type=rule.sensor_type,
    )
