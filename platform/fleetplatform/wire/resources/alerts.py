"""Alert rules, and the alerts they raise."""

from typing import Any
from uuid import UUID

from fleetplatform.wire.resources.body import Body, Reply


class NewAlertRule(Body, frozen=True, kw_only=True):
    """POST /v1/alert-rules; a null scope means any. Conditions are joined by and."""

    name: str
    conditions: dict[str, Any]
    severity: str = "warning"
    device_type: str | None = None
    sensor_type: str | None = None
    sensor_id: UUID | None = None


class AlertRule(Reply, frozen=True, kw_only=True):
    """A stored alert rule."""

    organization_id: UUID
    rule_id: UUID
    name: str
    conditions: dict[str, Any]
    severity: str
    device_type: str | None
    sensor_type: str | None
    sensor_id: UUID | None


class AlertRules(Reply, frozen=True, kw_only=True):
    """GET /v1/alert-rules, in order of name."""

    alert_rules: tuple[AlertRule, ...]
    next_cursor: str | None = None


class Alert(Reply, frozen=True, kw_only=True):
    """One alert of GET /v1/alerts."""

    organization_id: UUID
    alert_id: UUID
    rule_id: UUID
    sensor_id: UUID
    device_id: UUID
    severity: str
    alert_status: str
    alert_timestamp_us: int
    trigger_value: float | None
    resolved_at_us: int | None


class Alerts(Reply, frozen=True, kw_only=True):
    """GET /v1/alerts, newest first."""

    alerts: tuple[Alert, ...]
    next_cursor: str | None = None
