"""A materialised view, made anew each time from all readings, beside those who read it.

It has what the readings have that are there: an hour goes with its readings.
"""

from typing import Any

from fleetplatform.database.pool import Pool
from fleetplatform.database.queries import load
from fleetplatform.timeseries import rollups
from fleetplatform.timeseries.instants import to_datetime

_queries: Any = load(rollups.__file__)


async def refresh(pool: Pool, now_us: int, speed: float) -> int:
    """Refresh it as of a virtual time; 0, for which rows changed is not known."""
    await _queries.refresh_materialized_hours(pool, now=to_datetime(now_us))
    return 0
