"""Retention policies: how long readings stay, and what then becomes of them."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec

from fleetplatform.wire.resources.body import Body, Name, Reply, Revised

KeepDays = Annotated[int, msgspec.Meta(ge=1, le=36_500)]
Action = Literal["archive", "delete"]


class NewRetentionPolicy(Body, frozen=True, kw_only=True):
    """POST /v1/retention-policies: for the readings of a sensor, of a sensor type, of a device
    type, of a sensor type of a device type, or with none of them of the whole organization.

    Readings stay in the table for `keep_days` whole days; then they are archived or deleted.
    """

    keep_days: KeepDays
    action: Action
    device_type: Name | None = None
    sensor_type: Name | None = None
    sensor_id: UUID | None = None


class RetentionPolicyChange(Body, frozen=True, kw_only=True):
    """PATCH /v1/retention-policies/{retention_policy_id}: what is given changes."""

    keep_days: KeepDays | msgspec.UnsetType = msgspec.UNSET
    action: Action | msgspec.UnsetType = msgspec.UNSET


class RetentionPolicy(Revised, frozen=True, kw_only=True):
    """A policy; of those that speak of a sensor the most specific holds."""

    organization_id: UUID
    retention_policy_id: UUID
    keep_days: int
    action: Action
    device_type: str | None
    sensor_type: str | None
    sensor_id: UUID | None
    created_at_us: int


class RetentionPolicies(Reply, frozen=True, kw_only=True):
    """GET /v1/retention-policies, the oldest first."""

    retention_policies: tuple[RetentionPolicy, ...]
    next_cursor: str | None
