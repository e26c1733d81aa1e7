"""Which devices are in a part of the earth."""

from typing import Any
from uuid import UUID

from fleetplatform.analytics import aggregates
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.errors import InvalidError
from fleetplatform.registry.places.whereabouts import Area

DEVICES_MAX = 100_000
"""In a place; more must be asked for otherwise."""

_queries: Any = load(aggregates.__file__)


async def devices_in(
    conn: Connection, area: Area | None, geofence: UUID | None
) -> list[UUID] | None:
    """The devices that are in an area or a geofence now, of those that are seen; None: no limit.

    Raises InvalidError for more than DEVICES_MAX.
    """
    if area is not None:
        edges = [list(one) for one in zip(*area.boxes, strict=True)]
        rows = _queries.devices_in_area(
            conn,
            souths=edges[0],
            wests=edges[1],
            norths=edges[2],
            easts=edges[3],
            latitude=area.latitude,
            longitude=area.longitude,
            radius_m=area.radius_m,
            count=DEVICES_MAX + 1,
        )
    elif geofence is not None:
        rows = _queries.devices_in_geofence(conn, geofence_id=geofence, count=DEVICES_MAX + 1)
    else:
        return None
    found = [row["device_id"] async for row in rows]
    if len(found) > DEVICES_MAX:
        raise InvalidError(
            f"more than {DEVICES_MAX:,} devices are there: ask for a smaller place",
            code="too_many_devices",
        )
    return found
