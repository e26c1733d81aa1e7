"""Processing rules of an organization, and the values that they make."""

from uuid import UUID

from litestar import delete, get, patch, post

from fleetplatform.analytics import processed
from fleetplatform.analytics.choice import Span
from fleetplatform.api.access import Context
from fleetplatform.api.paging import page_of
from fleetplatform.api.parameters import Since, Until
from fleetplatform.database.tenancy import Tenant
from fleetplatform.ingest.rules import saved, trial
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.processing_rules import (
    NewProcessingRule,
    ProcessedValues,
    ProcessingRule,
    ProcessingRuleChange,
    ProcessingRules,
    RuleTest,
    TestedRule,
)


@post("/v1/processing-rules")
async def create_processing_rule(
    data: NewProcessingRule, tenant: Tenant, context: Context
) -> ProcessingRule:
    """Save a rule; readings are processed by it from then on."""
    return await saved.create(context.pool, tenant, data)


@get("/v1/processing-rules", dependencies={"page": page_of("name", both_ways=False)})
async def list_processing_rules(tenant: Tenant, context: Context, page: Page) -> ProcessingRules:
    """A page of the rules that the organization and those below it have."""
    return await saved.listed(context.pool, tenant, page)


@get("/v1/processing-rules/{processing_rule_id:uuid}")
async def read_processing_rule(
    processing_rule_id: UUID, tenant: Tenant, context: Context
) -> ProcessingRule:
    """One rule."""
    return await saved.read(context.pool, tenant, processing_rule_id)


@patch("/v1/processing-rules/{processing_rule_id:uuid}")
async def change_processing_rule(
    processing_rule_id: UUID,
    data: ProcessingRuleChange,
    tenant: Tenant,
    context: Context,
    expected: int | None,
) -> ProcessingRule:
    """Change a rule; the batches of readings that are stored from then on obey."""
    return await saved.change(context.pool, tenant, processing_rule_id, data, expected)


@delete("/v1/processing-rules/{processing_rule_id:uuid}")
async def delete_processing_rule(
    processing_rule_id: UUID, tenant: Tenant, context: Context, expected: int | None
) -> None:
    """Delete a rule; the values that it made stay."""
    await saved.delete(context.pool, tenant, processing_rule_id, expected)


@post("/v1/processing-rules/test", status_code=200)
async def test_processing_rule(data: RuleTest, tenant: Tenant) -> TestedRule:
    """What a rule would make of some values; nothing is saved."""
    return trial.run(data)


@get(
    "/v1/sensors/{sensor_id:uuid}/processed",
    dependencies={"page": page_of("t_us", both_ways=False)},
)
async def read_processed(
    sensor_id: UUID,
    since_us: Since,
    until_us: Until,
    tenant: Tenant,
    context: Context,
    page: Page,
    processing_rule_id: UUID | None = None,
) -> ProcessedValues:
    """What rules made of a sensor's readings in a span of 31 days at most, in order of time."""
    span = Span(since_us, until_us)
    return await processed.listed(
        context.pool, tenant, sensor_id, span, processing_rule_id, page
    )


handlers = [
    create_processing_rule, list_processing_rules, read_processing_rule, change_processing_rule,
    delete_processing_rule, test_processing_rule, read_processed,
]  # fmt: skip
