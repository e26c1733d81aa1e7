"""Alert rules of an organization."""

from uuid import UUID

from litestar import get, post

from fleetplatform.alerting import rules
from fleetplatform.api.access import Context
from fleetplatform.wire.resources import AlertRule, AlertRules, NewAlertRule


@post("/v1/alert-rules")
async def create_rule(data: NewAlertRule, organization: UUID, context: Context) -> AlertRule:
    """Save a rule; readings are judged by it from then on."""
    return await rules.create(context.pool, organization, data)


@get("/v1/alert-rules")
async def list_rules(organization: UUID, context: Context) -> AlertRules:
    """The active rules, in order of name."""
    return AlertRules(alert_rules=tuple(await rules.list_all(context.pool, organization)))


handlers = [create_rule, list_rules]
