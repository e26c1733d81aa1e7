"""The detector's sums in the database, and their way back after a crash.

A checkpoint says through which `received_at` the sums go; rows received later are summed by the
database when the state is built again.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.alerting.life import sensor_id
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load as load_queries
from fleetplatform.processing.detectors.three_sigma import HOUR_US, HOURS, ThreeSigma
from fleetplatform.registry.directory import Directory
from fleetplatform.timeseries.instants import EARLIEST, to_datetime, to_us

LANE = 0
REWIND_US = 60_000_000
"""A clock further behind the newest row than this was set back; less is only many batches."""

_queries: Any = load_queries(__file__)


async def hold_lane(conn: Connection) -> None:
    """Wait until no other transaction stores for the lane, and keep others waiting.

    A batch that was given up may still be committing; state read meanwhile would miss its rows.
    """
    await _queries.hold_lane(conn, lane=LANE)


class Schedule:
    """When the next checkpoint is due, on the wall clock."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._last_s = time.monotonic()

    def is_due(self) -> bool:
        """Whether the interval has passed; if so, the next one begins."""
        if time.monotonic() - self._last_s < self._interval_s:
            return False
        self._last_s = time.monotonic()
        return True


async def save(
    conn: Connection, directory: Directory, detector: ThreeSigma, received_us: int
) -> None:
    """Write the sums that have moved since the last save, in the caller's transaction.

    received_us: time of the batch that the sums include.
    """
    sensor, hour, count, mean, squares = detector.sums(detector.oldest_moved)
    devices = directory.sensor_device[sensor]
    organizations = directory.device_organization[devices]
    await _queries.save_sums(
        conn,
        organizations=[directory.organizations[i] for i in organizations.tolist()],
        sensors=[sensor_id(directory, i) for i in sensor.tolist()],
        hours=[to_datetime(h * HOUR_US) for h in hour.tolist()],
        counts=count.astype(np.int64).tolist(),
        means=mean.tolist(),
        squares=squares.tolist(),
    )
    await _queries.save_checkpoint(conn, lane=LANE, received_through=to_datetime(received_us))


async def load(
    conn: Connection,
    directory: Directory,
    detector: ThreeSigma,
    watermark_us: NDArray[np.int64],
    now_us: int,
) -> int:
    """Fill sums and watermarks with what was measured in the 25 hours before a virtual time.

    Returns the newest `received_at` of the rows that are in the sums: a checkpoint must not say
    less, or these rows would be taken in twice. A checkpoint from the future belongs to a time
    before the clock was set back: rows stored since then look older than it, so the rows alone
    are believed.
    """
    since = to_datetime(max(0, now_us - (HOURS + 1) * HOUR_US))
    received_through = await _queries.load_checkpoint(conn, lane=LANE) or EARLIEST
    if received_through > to_datetime(now_us):
        received_through = EARLIEST
    if received_through > EARLIEST:
        saved = [row async for row in _queries.load_sums(conn, since=since)]
        _add(saved, directory, detector)
        detector.settled()
    recent = [
        row
        async for row in _queries.sums_since(
            conn, received_after=received_through, measured_after=since
        )
    ]
    _add(recent, directory, detector)
    newest = [row async for row in _queries.last_measured(conn, measured_after=since)]
    index = _find([row["sensor_id"] for row in newest], directory)
    # A sensor may have been enrolled after room was made; its rows are another process's.
    index[index >= len(watermark_us)] = -1
    measured = np.array([to_us(row["last_measured"]) for row in newest], dtype=np.int64)
    known = index >= 0
    watermark_us[index[known]] = measured[known]
    return max((to_us(row["last_received"]) for row in recent), default=to_us(received_through))


def _add(rows: list[Any], directory: Directory, detector: ThreeSigma) -> None:
    if not rows:
        return
    index = _find([row["sensor_id"] for row in rows], directory)
    hour = np.array([to_us(row["hour_start"]) // HOUR_US for row in rows], dtype=np.int32)
    count = np.array([row["reading_count"] for row in rows], dtype=np.float64)
    mean = np.array([row["mean_value"] for row in rows], dtype=np.float64)
    squares = np.array([row["sum_squared_deviations"] for row in rows], dtype=np.float64)
    # Hour by hour, oldest first: a newer hour may take an older one's slot, never the reverse.
    for one in np.unique(hour).tolist():
        at = (hour == one) & (index >= 0)
        detector.add(index[at], hour[at], count[at], mean[at], squares[at])


def _find(ids: list[Any], directory: Directory) -> NDArray[np.int32]:
    high = np.array([one.int >> 64 for one in ids], dtype=np.uint64)
    low = np.array([one.int & (2**64 - 1) for one in ids], dtype=np.uint64)
    return directory.find_sensors(high, low)
