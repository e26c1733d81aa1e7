"""Alert rules of an organization."""

from litestar import get, post

from fleetplatform.alerting import rules
from fleetplatform.api.access import Context
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.resources.alerts import AlertRule, AlertRules, NewAlertRule


@post("/v1/alert-rules")
async def create_rule(data: NewAlertRule, tenant: Tenant, context: Context) -> AlertRule:
    """Save a rule; readings are judged by it from then on."""
    return await rules.create(context.pool, tenant, data)


@get("/v1/alert-rules")
async def list_rules(tenant: Tenant, context: Context) -> AlertRules:
    """The active rules, in order of name."""
    return AlertRules(alert_rules=tuple(await rules.list_all(context.pool, tenant)))


handlers = [create_rule, list_rules]
