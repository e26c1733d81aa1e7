"""Quotas of an organization: what it may have at most, and how much of it is used."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta

from fleetplatform.wire.resources.body import Body, Reply, Revised

_COUNT_MAX = 10**12
_RATE_MAX = 1e9
_DAYS_MAX = 36_500


class NewQuotas(Body, frozen=True, kw_only=True):
    """PUT /v1/organizations/{organization_id}/quotas: all of them; null or left out means none.

    devices: those that are not decommissioned · readings_per_s: of all devices together · rules:
    active alert rules · storage_days: how old a reading may be.
    """

    devices: Annotated[int, Meta(ge=0, le=_COUNT_MAX)] | None = None
    readings_per_s: Annotated[float, Meta(gt=0, le=_RATE_MAX)] | None = None
    rules: Annotated[int, Meta(ge=0, le=_COUNT_MAX)] | None = None
    storage_days: Annotated[int, Meta(ge=1, le=_DAYS_MAX)] | None = None


class Quotas(Revised, frozen=True, kw_only=True):
    """What an organization may have at most; null where there is no limit."""

    organization_id: UUID
    devices: int | None
    readings_per_s: float | None
    rules: int | None
    storage_days: int | None


class Use(Reply, frozen=True, kw_only=True):
    """One quota: its limit (null: none) and how much is used (null: nobody counts it yet)."""

    limit: float | None
    used: float | None


class Usage(Reply, frozen=True, kw_only=True):
    """GET /v1/organizations/{organization_id}/usage.

    readings_per_s.used: as ingest counted over the last seconds · storage_days.used: how many days
    ago the oldest stored readings were measured.
    """

    organization_id: UUID
    devices: Use
    readings_per_s: Use
    rules: Use
    storage_days: Use
