"""What processing rules made of a sensor's readings."""

from typing import Any
from uuid import UUID

from fleetplatform.analytics.choice import Span
from fleetplatform.analytics.series import readable_sensor
from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError
from fleetplatform.timeseries.instants import to_datetime, to_us
from fleetplatform.wire.paging import Page, cut, instant_of
from fleetplatform.wire.resources.processing_rules import ProcessedValue, ProcessedValues

SPAN_MAX_US = 31 * 86_400_000_000

_queries: Any = load(__file__)


async def listed(
    pool: Pool, tenant: Tenant, sensor_id: UUID, span: Span, rule: UUID | None, page: Page
) -> ProcessedValues:
    """A page of the values of a span of 31 days at most, of one rule or of all of them.

    Raises NotFoundError, ForbiddenError for a sensitive sensor, and InvalidError.
    """
    if span.until_us - span.since_us > SPAN_MAX_US:
        raise InvalidError("since_us, until_us: ask for 31 days at most", code="invalid_span")
    after_us = instant_of(page)
    async with transaction(pool, tenant) as conn:
        sensor = await readable_sensor(conn, sensor_id)
        rows = _queries.processed_values(
            conn,
            organization_id=sensor["organization_id"],
            sensor_id=sensor_id,
            processing_rule_id=rule,
            **span.bounds,
            after_time=to_datetime(span.since_us if after_us is None else after_us),
            after_id=page.after_id,
            count=page.limit + 1,
        )
        found = [
            ProcessedValue(
                processing_rule_id=row["processing_rule_id"],
                t_us=to_us(row["measurement_timestamp"]),
                value=row["value"],
                flag=row["flag"],
            )
            async for row in rows
        ]
    shown, following = cut(found, page, lambda one: (str(one.t_us), one.processing_rule_id))
    return ProcessedValues(sensor_id=sensor_id, values=shown, next_cursor=following)
