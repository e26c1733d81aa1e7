"""Where each sensor's readings stand in the database, for engines that go on from there."""

from datetime import timedelta
from typing import Any

from fleetplatform.database import packed
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load as load_queries
from fleetplatform.processing.continuity import Continuity
from fleetplatform.processing.quality import Tolerances
from fleetplatform.registry.directory import Directory
from fleetplatform.registry.identifiers import split
from fleetplatform.settings import QualitySettings
from fleetplatform.timeseries.instants import to_datetime

LOOK_BACK_US = 31 * 86_400_000_000
"""A sensor that was silent for longer begins anew when an engine starts."""

_queries: Any = load_queries(__file__)


async def load(
    conn: Connection, directory: Directory, continuity: Continuity, since_us: int
) -> None:
    """Fill in the newest reading of each sensor that measured since a virtual time."""
    since = to_datetime(max(0, since_us))
    row = await _queries.last_readings(conn, measured_after=since)
    sensor = directory.find_sensors(*split(row["sensors"]))
    # A sensor may have been enrolled after room was made; its rows are another process's.
    known = (sensor >= 0) & (sensor < len(continuity.newest_us))
    continuity.know(
        sensor[known],
        packed.times_us(row["times"])[known],
        packed.floats(row["values"])[known],
        packed.floats(row["sent"])[known],
        packed.times_us(row["flat_since"])[known],
    )


def tolerances(settings: QualitySettings) -> Tolerances:
    """As arrays are judged by them."""
    return Tolerances(
        gap_intervals=settings.gap_intervals,
        stale_after_us=round(settings.stale_after * 1e6),
        clock_skew_us=round(settings.clock_skew * 1e6),
    )


def in_database(settings: QualitySettings) -> dict[str, Any]:
    """The same as parameters of the statements that judge in the database."""
    known = tolerances(settings)
    return {
        "gap_intervals": known.gap_intervals,
        "stale_after": timedelta(microseconds=known.stale_after_us),
        "clock_skew": timedelta(microseconds=known.clock_skew_us),
    }
