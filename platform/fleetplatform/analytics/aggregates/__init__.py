"""Many sensors in few numbers: hours and days of devices, groups, types and places.

They come from the closed hours that the worker keeps, so an answer is as new as these, and reads
no reading. A mean is that of all readings of a bucket, whichever sensor they are of; sensors of
another type or unit are in another series. Entry: `read`.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal
from uuid import UUID

from fleetplatform.analytics.aggregates.places import devices_in
from fleetplatform.analytics.bounds import asked
from fleetplatform.analytics.choice import Span
from fleetplatform.analytics.series import bucket_of
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import InvalidError, NotFoundError
from fleetplatform.registry.places.whereabouts import Area
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.resources.aggregates import Aggregates, AggregateSeries

By = Literal["device", "group", "device_type", "sensor_type", "organization", "place"]
Width = Literal["hour", "day", "week", "month"]

BUCKETS_MAX = 10_000
"""In one answer, of all series together."""
HOURS_MAX = 1_000_000
"""Closed hours of sensors that are looked at for one answer."""

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sensors; None takes all.

    sensor_type: a code of the catalogue · device_type: a name · geofence_id, area: devices are
    there by where they are now.
    """

    organization_id: UUID | None = None
    device_id: UUID | None = None
    group_id: UUID | None = None
    device_type: str | None = None
    sensor_type: int | None = None
    geofence_id: UUID | None = None
    area: Area | None = None

    @property
    def is_place(self) -> bool:
        """Whether it is limited to a part of the earth."""
        return self.area is not None or self.geofence_id is not None


async def read(
    pool: Pool, tenant: Tenant, span: Span, choice: Choice, by: By, width: Width
) -> Aggregates:
    """A series of buckets for each thing `by` which sensors are put together.

    Raises NotFoundError for a device, group or geofence that is not seen, and InvalidError for a
    question that takes too many hours or makes too many buckets.
    """
    _check(choice, by)
    async with asked(pool, tenant) as conn:
        await _check_seen(conn, choice)
        devices = await devices_in(conn, choice.area, choice.geofence_id)
        rows = [
            row
            async for row in _queries.aggregate(
                conn,
                **span.bounds,
                by=by,
                width=width,
                organization_id=choice.organization_id,
                device_id=choice.device_id,
                group_id=choice.group_id,
                device_type=choice.device_type,
                sensor_type=choice.sensor_type,
                devices=devices,
                hours_max=HOURS_MAX,
                count=BUCKETS_MAX + 1,
            )
        ]
    if rows and rows[0]["hours_read"] > HOURS_MAX:
        raise InvalidError(
            f"the answer takes more than {HOURS_MAX:,} hours of sensors: ask for a shorter span, or"
            " for fewer sensors by sensor_type, device_type, group_id or device_id",
            code="too_many_hours",
        )
    if len(rows) > BUCKETS_MAX:
        raise InvalidError(
            f"the answer has more than {BUCKETS_MAX:,} buckets: ask for a shorter span, wider"
            " buckets, or fewer sensors",
            code="too_many_buckets",
        )
    return Aggregates(by=by, width=width, series=tuple(_series(rows)))


def _series(rows: list[Any]) -> list[AggregateSeries]:
    """Rows in order of series and time as series."""
    columns = ("key_id", "key_name", "sensor_type", "unit")
    return [
        AggregateSeries(
            id=key[0],
            name=key[1],
            sensor_type=SensorType(key[2]).label,
            unit=key[3],
            buckets=tuple(bucket_of(row) for row in found),
        )
        for key, found in groupby(rows, lambda row: tuple(row[name] for name in columns))
    ]


def _check(choice: Choice, by: By) -> None:
    if by == "place" and not choice.is_place:
        raise InvalidError(
            "by: a place is a circle (near and radius), a box or a geofence_id; give one",
            code="invalid_area",
        )
    if choice.area is not None and choice.geofence_id is not None:
        raise InvalidError("give an area or a geofence_id, not both", code="invalid_area")
    if choice.device_type is not None and "\0" in choice.device_type:
        raise InvalidError("device_type holds the character NUL; leave it out")


async def _check_seen(conn: Connection, choice: Choice) -> None:
    """Raises NotFoundError for something named that is not seen."""
    named = {
        "device": choice.device_id, "device group": choice.group_id,
        "geofence": choice.geofence_id, "organization below it": choice.organization_id,
    }  # fmt: skip
    row = await _queries.named_things(
        conn,
        device_id=choice.device_id,
        group_id=choice.group_id,
        geofence_id=choice.geofence_id,
        organization_id=choice.organization_id,
    )
    for (kind, wanted), is_seen in zip(named.items(), row, strict=True):
        if wanted is not None and not is_seen:
            raise NotFoundError(f"the organization has no such {kind}")
