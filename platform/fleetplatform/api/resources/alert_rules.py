"""Alert rules of an organization."""

from uuid import UUID

from litestar import get, post

from fleetplatform.alerting import rules
from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.alerts import AlertRule, AlertRules, NewAlertRule


@post("/v1/alert-rules")
async def create_rule(data: NewAlertRule, tenant: Tenant, context: Context) -> AlertRule:
    """Save a rule; readings are judged by it from then on."""
    return await rules.create(context.pool, tenant, data)


@get("/v1/alert-rules", dependencies={"page": page_of("name")})
async def list_rules(tenant: Tenant, context: Context, page: Page) -> AlertRules:
    """The active rules, in order of name."""
    found, next_cursor = cut(await rules.listed(context.pool, tenant, page), page, _place)
    return AlertRules(alert_rules=found, next_cursor=next_cursor)


def _place(rule: AlertRule) -> tuple[str, UUID]:
    return rule.name, rule.rule_id


handlers = [create_rule, list_rules]
