"""One sensor's readings: the last, a span thinned out to points or buckets, the gaps in it."""

from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import numpy as np

from fleetplatform.analytics import archived
from fleetplatform.analytics.bounds import asked, check_raw
from fleetplatform.analytics.choice import EARLIEST_US, LATEST_US, Choice, Span
from fleetplatform.analytics.downsampling import largest_triangle
from fleetplatform.database import packed
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import ForbiddenError, InvalidError, NotFoundError
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.resources.readings import (
    Bucket,
    Buckets,
    Gap,
    Gaps,
    LastReading,
    Series,
)

READINGS_MAX = 1_000_000
"""So many readings are looked at for one answer; more must be asked for in buckets."""
BUCKETS_MAX = 10_000
GAPS_MAX = 1_000
RECENT_US = 31 * 86_400_000_000
"""The last reading is looked for in so much time first, which spares most partitions."""

_queries: Any = load(__file__)
_ROLLUPS: dict[str, tuple[int, Any]] = {
    "hour": (3_600_000_000, _queries.hours), "day": (86_400_000_000, _queries.days),
}  # fmt: skip


async def last(pool: Pool, tenant: Tenant, sensor_id: UUID, now_us: int) -> LastReading:
    """The newest reading of a sensor; raises NotFoundError where there is none."""
    recent = Span(min(max(now_us - RECENT_US, EARLIEST_US), LATEST_US - 1), LATEST_US)
    async with asked(pool, tenant) as conn:
        sensor = await readable_sensor(conn, sensor_id)
        row = None
        for span in (recent, Span(EARLIEST_US, LATEST_US)):
            row = row or await _queries.last_reading(conn, **key_of(sensor), **span.bounds)
    if row is None:
        raise NotFoundError("the sensor has no readings", code="no_readings")
    return LastReading(
        sensor_id=sensor_id,
        unit=sensor["unit"],
        t_us=to_us(row["measurement_timestamp"]),
        value=row["measurement_value"],
        quality=row["data_quality"],
        is_anomaly=row["is_anomaly"],
        score=row["anomaly_score"],
    )


async def read(
    pool: Pool, tenant: Tenant, sensor_id: UUID, span: Span, points: int, folder: str | None
) -> Series:
    """A span as `points` readings at most, chosen so that their line looks like all of them.

    folder: of the archive, whose readings count too. Raises NotFoundError, InvalidError for a span
    that is too long or has more than READINGS_MAX readings, and ConflictError where a file of it is
    not there.
    """
    check_raw(span.since_us, span.until_us)
    async with asked(pool, tenant) as conn:
        sensor = await readable_sensor(conn, sensor_id)
        row = await _queries.readings(conn, **key_of(sensor), **span.bounds, count=READINGS_MAX + 1)
        # The sensor itself is seen, so its devices need not be asked for again.
        old = await archived.find(
            conn, folder, span, Choice(sensor_id=sensor_id), is_limited=False
        )
    old_us, old_values = await old.columns(READINGS_MAX)
    t_us = np.concatenate([packed.times_us(row["times"]), old_us])
    values = np.concatenate([packed.floats(row["values"]), old_values])
    if len(t_us) > READINGS_MAX:
        raise InvalidError(
            f"the span has more than {READINGS_MAX:,} readings: ask for a shorter one, or for its"
            " buckets",
            code="too_many_readings",
        )
    # What was archived between the two looks was seen twice.
    t_us, first = np.unique(t_us, return_index=True)
    values = values[first]
    kept = largest_triangle(t_us, values, points)
    return Series(
        sensor_id=sensor_id,
        unit=sensor["unit"],
        readings=len(t_us),
        archived=len(old_us),
        t_us=tuple(t_us[kept].tolist()),
        values=tuple(values[kept].tolist()),
    )


async def buckets(
    pool: Pool, tenant: Tenant, sensor_id: UUID, span: Span, width_us: int
) -> Buckets:
    """A span in buckets of one width.

    Raises NotFoundError, and InvalidError for a span that is too long or too many buckets.
    """
    check_raw(span.since_us, span.until_us)
    if (span.until_us - span.since_us) > width_us * BUCKETS_MAX:
        raise InvalidError(
            f"width_us: that makes more than {BUCKETS_MAX:,} buckets; make them wider",
            code="too_many_buckets",
        )
    async with asked(pool, tenant) as conn:
        sensor = await readable_sensor(conn, sensor_id)
        width = timedelta(microseconds=width_us)
        found = tuple(
            [
                bucket_of(row)
                async for row in _queries.buckets(
                    conn, **key_of(sensor), **span.bounds, width=width
                )
            ]
        )
    return Buckets(sensor_id=sensor_id, unit=sensor["unit"], width_us=width_us, buckets=found)


async def rollup(
    pool: Pool, tenant: Tenant, sensor_id: UUID, span: Span, unit: Literal["hour", "day"]
) -> Buckets:
    """The closed hours of a span, or its days, as the worker keeps them.

    Raises NotFoundError, and InvalidError for too many.
    """
    width_us, query = _ROLLUPS[unit]
    if span.until_us - span.since_us > width_us * BUCKETS_MAX:
        raise InvalidError(
            f"since_us, until_us: more than {BUCKETS_MAX:,} {unit}s", code="too_many_buckets"
        )
    async with asked(pool, tenant) as conn:
        sensor = await readable_sensor(conn, sensor_id)
        rows = query(conn, sensor_id=sensor_id, **span.bounds)
        found = tuple([bucket_of(row) async for row in rows])
    return Buckets(sensor_id=sensor_id, unit=sensor["unit"], width_us=width_us, buckets=found)


async def gaps(
    pool: Pool, tenant: Tenant, sensor_id: UUID, span: Span, longer_than_us: int
) -> Gaps:
    """Where a sensor was silent for longer than that, GAPS_MAX times at most.

    Raises NotFoundError, and InvalidError for a span that is too long.
    """
    check_raw(span.since_us, span.until_us)
    async with asked(pool, tenant) as conn:
        sensor = await readable_sensor(conn, sensor_id)
        found = [
            Gap(start_us=to_us(row["gap_start"]), end_us=to_us(row["gap_end"]))
            async for row in _queries.gaps(
                conn,
                **key_of(sensor),
                **span.bounds,
                longer_than=timedelta(microseconds=longer_than_us),
                count=GAPS_MAX + 1,
            )
        ]
    return Gaps(
        sensor_id=sensor_id, gaps=tuple(found[:GAPS_MAX]), complete=len(found) <= GAPS_MAX
    )


async def readable_sensor(conn: Connection, sensor_id: UUID) -> Any:
    """A sensor whose values stand in clear; raises NotFoundError, and ForbiddenError."""
    row = await _queries.sensor(conn, sensor_id=sensor_id)
    if row is None:
        raise NotFoundError("the organization has no such sensor")
    if row["sensitive"]:
        raise ForbiddenError(
            "the sensor is sensitive: administrators read it at"
            f" /v1/sensors/{sensor_id}/sensitive-readings",
            code="sensitive_sensor",
        )
    return row


def key_of(sensor: Any) -> dict[str, Any]:
    """What its readings are found by, as parameters of a query."""
    return {"sensor_id": sensor["sensor_id"], "sensor_type": sensor["sensor_type"]}


def bucket_of(row: Any) -> Bucket:
    """A row of a question for buckets."""
    return Bucket(
        start_us=to_us(row["bucket_start"]),
        count=row["reading_count"],
        mean=row["mean"],
        min=row["minimum"],
        max=row["maximum"],
        deviation=row["deviation"],
        valid_share=row["valid_count"] / row["reading_count"],
        anomalies=row["anomaly_count"],
    )
