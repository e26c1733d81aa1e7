"""The last values of a group of devices."""

from typing import Any
from uuid import UUID

from fleetplatform.analytics import aggregates
from fleetplatform.analytics.bounds import DAY_US, asked
from fleetplatform.analytics.choice import Span
from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import NotFoundError
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.paging import Page, cut
from fleetplatform.wire.resources.aggregates import GroupReading, GroupReadings

AHEAD_US = DAY_US
"""Of the platform's clock, in which readings are looked for too."""

_queries: Any = load(aggregates.__file__)


async def read(
    pool: Pool, tenant: Tenant, group_id: UUID, now_us: int, within_us: int, page: Page
) -> GroupReadings:
    """A page of a group's sensors, in order of their ids, each with its newest reading.

    within_us: how far back one is looked for. Sensitive sensors are left out. Raises NotFoundError.
    """
    span = Span(max(now_us - within_us, 0), now_us + AHEAD_US)
    async with asked(pool, tenant) as conn:
        if not await _queries.has_group(conn, group_id=group_id):
            raise NotFoundError("the organization has no such device group")
        found = [
            _reading(row)
            async for row in _queries.last_of_group(
                conn,
                group_id=group_id,
                after_id=page.after_id or UUID(int=0),
                count=page.limit + 1,
                **span.bounds,
            )
        ]
    shown, cursor = cut(found, page, lambda one: (str(one.sensor_id), one.sensor_id))
    return GroupReadings(readings=shown, next_cursor=cursor)


def _reading(row: Any) -> GroupReading:
    measured = row["measurement_timestamp"]
    return GroupReading(
        sensor_id=row["sensor_id"],
        device_id=row["device_id"],
        organization_id=row["organization_id"],
        serial_number=row["serial_number"],
        sensor=row["name"],
        sensor_type=SensorType(row["sensor_type"]).label,
        unit=row["unit"],
        t_us=None if measured is None else to_us(measured),
        value=row["measurement_value"],
        quality=row["data_quality"],
        is_anomaly=row["is_anomaly"],
        score=row["anomaly_score"],
    )
