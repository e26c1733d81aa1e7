"""The readings furthest from what was usual, over all sensors that somebody sees."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fleetplatform.analytics.bounds import asked
from fleetplatform.analytics.choice import Span
from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import InvalidError
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.resources.readings import Anomaly

SPAN_MAX_US = 31 * 86_400_000_000

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Whose anomalies; None takes all. `sensor_type` is a code of the catalogue."""

    organization_id: UUID | None = None
    device_id: UUID | None = None
    group_id: UUID | None = None
    sensor_type: int | None = None


async def top(
    pool: Pool, tenant: Tenant, span: Span, choice: Choice, count: int
) -> list[Anomaly]:
    """The `count` strongest of a span of at most 31 days; raises InvalidError."""
    if span.until_us - span.since_us > SPAN_MAX_US:
        raise InvalidError("since_us, until_us: ask for 31 days at most", code="invalid_span")
    async with asked(pool, tenant) as conn:
        return [
            Anomaly(
                sensor_id=row["sensor_id"],
                device_id=row["device_id"],
                organization_id=row["organization_id"],
                sensor_type=SensorType(row["sensor_type"]).label,
                t_us=to_us(row["measurement_timestamp"]),
                value=row["measurement_value"],
                score=row["anomaly_score"],
            )
            async for row in _queries.top_anomalies(
                conn,
                **span.bounds,
                organization_id=choice.organization_id,
                device_id=choice.device_id,
                group_id=choice.group_id,
                sensor_type=choice.sensor_type,
                count=count,
            )
        ]


def code_of(sensor_type: str | None) -> int | None:
    """The catalogue's code of a sensor type; raises InvalidError for one that does not exist."""
    if sensor_type is None:
        return None
    try:
        return int(SensorType.of(sensor_type))
    except KeyError:
        known = ", ".join(one.label for one in SensorType)
        raise InvalidError(f"sensor_type: {sensor_type!r} is not one of {known}") from None
