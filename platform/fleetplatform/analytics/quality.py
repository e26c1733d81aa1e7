"""How far the readings of a sensor, or of a device's sensors, can be trusted: flags and scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args
from uuid import UUID

from fleetplatform.analytics.choice import Span
from fleetplatform.analytics.series import key_of, readable_sensor
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import InvalidError, NotFoundError
from fleetplatform.timeseries.instants import to_us
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.resources.quality import (
    DeviceQuality,
    Flag,
    FlagCounts,
    FlaggedReading,
    FlaggedReadings,
    QualityHour,
    QualityOfSensor,
    SensorQuality,
)

HOUR_US = 3_600_000_000
SPAN_MAX_US = 31 * 24 * HOUR_US
SENSOR_HOURS_MAX = 5_000
"""So many hours of sensors are judged for one answer."""
FLAGS: tuple[Flag, ...] = get_args(Flag)

_queries: Any = load(__file__)


async def of_sensor(
    pool: Pool, tenant: Tenant, sensor_id: UUID, span: Span, now_us: int
) -> SensorQuality:
    """The hours of a span that are over; raises NotFoundError, and InvalidError over 31 days."""
    _check(span)
    async with transaction(pool, tenant) as conn:
        sensor = await readable_sensor(conn, sensor_id)
        hours = await _hours(conn, sensor, span, now_us)
    total = _Total.of(hours)
    return SensorQuality(
        sensor_id=sensor_id,
        interval_s=sensor["interval_s"],
        score=total.score,
        completeness=total.completeness,
        valid_share=total.valid_share,
        hours=tuple(hours),
    )


async def of_device(
    pool: Pool, tenant: Tenant, device_id: UUID, span: Span, now_us: int
) -> DeviceQuality:
    """The same of each sensor of a device in few numbers.

    Raises NotFoundError, and InvalidError for more than 31 days or SENSOR_HOURS_MAX.
    """
    _check(span)
    async with transaction(pool, tenant) as conn:
        if not await _queries.has_device(conn, device_id=device_id):
            raise NotFoundError("the organization has no such device")
        sensors = [row async for row in _queries.judged_sensors(conn, device_id=device_id)]
        if len(sensors) * (span.until_us - span.since_us) > SENSOR_HOURS_MAX * HOUR_US:
            raise InvalidError(
                f"since_us, until_us: the device has {len(sensors)} sensors; ask for"
                f" {SENSOR_HOURS_MAX // len(sensors)} hours at most",
                code="invalid_span",
            )
        found = tuple([await _in_few_numbers(conn, one, span, now_us) for one in sensors])
    scores = [one.score for one in found if one.score is not None]
    return DeviceQuality(device_id=device_id, score=_mean(scores), sensors=found)


async def flagged(
    pool: Pool, tenant: Tenant, sensor_id: UUID, span: Span, flag: Flag | None, count: int
) -> FlaggedReadings:
    """The first `count` readings of a span with a flag, or with any; raises as `of_sensor`."""
    _check(span)
    bits = 2 ** len(FLAGS) - 1 if flag is None else 1 << FLAGS.index(flag)
    async with transaction(pool, tenant) as conn:
        sensor = await readable_sensor(conn, sensor_id)
        rows = _queries.flagged_readings(
            conn, **key_of(sensor), **span.bounds, bits=bits, count=count + 1
        )
        found = [_flagged(row) async for row in rows]
    return FlaggedReadings(
        sensor_id=sensor_id,
        unit=sensor["unit"],
        readings=tuple(found[:count]),
        complete=len(found) <= count,
    )


def _check(span: Span) -> None:
    if span.until_us - span.since_us > SPAN_MAX_US:
        raise InvalidError("since_us, until_us: ask for 31 days at most", code="invalid_span")


async def _hours(conn: Connection, sensor: Any, span: Span, now_us: int) -> list[QualityHour]:
    """The hours that begin in a span and are over, as far as they are known.

    One with readings that no aggregate holds is about to be made, and left out. One without any is
    silent, where the sensor measured before and measures once an hour at least.
    """
    first_us = -(-span.since_us // HOUR_US) * HOUR_US
    # The last one begins before the end of the span, and ends by now.
    end_us = min(-(-span.until_us // HOUR_US), now_us // HOUR_US) * HOUR_US
    if first_us >= end_us:
        return []
    whole = Span(first_us, end_us)
    rows = _queries.quality_hours(conn, **key_of(sensor), **whole.bounds)
    known = {to_us(row["hour_start"]): row async for row in rows}
    begun = await _queries.first_hour(conn, sensor_id=sensor["sensor_id"])
    if begun is None:
        return []
    expected = 3600.0 / sensor["interval_s"]
    hours = []
    for start_us in range(max(first_us, to_us(begun)), end_us, HOUR_US):
        row = known.get(start_us)
        if row is not None and row["reading_count"] is not None:
            hours.append(_hour(row, start_us, expected))
        elif row is None and expected >= 1:
            hours.append(_silent(start_us))
    return hours


def _hour(row: Any, start_us: int, expected: float) -> QualityHour:
    completeness = min(1.0, row["reading_count"] / expected)
    valid_share = row["valid_count"] / row["reading_count"]
    return QualityHour(
        start_us=start_us,
        score=completeness * valid_share,
        completeness=completeness,
        valid_share=valid_share,
        readings=row["reading_count"],
        flags=None if row["stored_count"] is None else FlagCounts(**{f: row[f] for f in FLAGS}),
    )


def _silent(start_us: int) -> QualityHour:
    none = FlagCounts(**dict.fromkeys(FLAGS, 0))
    return QualityHour(
        start_us=start_us, score=0.0, completeness=0.0, valid_share=None, readings=0, flags=none
    )


@dataclass(frozen=True, slots=True)
class _Total:
    """Some hours together; None where there are none."""

    score: float | None
    completeness: float | None
    valid_share: float | None
    readings: int

    @classmethod
    def of(cls, hours: Sequence[QualityHour]) -> "_Total":
        """All of them; silent ones count in the means."""
        readings = sum(one.readings for one in hours)
        valid = sum((one.valid_share or 0.0) * one.readings for one in hours)
        return cls(
            score=_mean([one.score for one in hours]),
            completeness=_mean([one.completeness for one in hours]),
            valid_share=valid / readings if readings else None,
            readings=readings,
        )


async def _in_few_numbers(
    conn: Connection, sensor: Any, span: Span, now_us: int
) -> QualityOfSensor:
    hours = await _hours(conn, sensor, span, now_us)
    total = _Total.of(hours)
    return QualityOfSensor(
        sensor_id=sensor["sensor_id"],
        name=sensor["name"],
        sensor_type=SensorType(sensor["sensor_type"]).label,
        score=total.score,
        completeness=total.completeness,
        valid_share=total.valid_share,
        hours=len(hours),
        readings=total.readings,
        flags=_sum(one.flags for one in hours if one.flags is not None),
    )


def _sum(counts: Iterable[FlagCounts]) -> FlagCounts:
    totals = dict.fromkeys(FLAGS, 0)
    for one in counts:
        for flag in FLAGS:
            totals[flag] += getattr(one, flag)
    return FlagCounts(**totals)


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None


def _flagged(row: Any) -> FlaggedReading:
    quality = row["data_quality"]
    return FlaggedReading(
        t_us=to_us(row["measurement_timestamp"]),
        received_us=to_us(row["received_at"]),
        value=row["measurement_value"],
        quality=quality,
        flags=tuple(flag for place, flag in enumerate(FLAGS) if quality >> place & 1),
    )
