"""The detector's sums in the database, and their way back after a crash.

A checkpoint says through which `received_at` the sums go; rows received later are summed by the
database when the state is built again.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from fleetplatform.alerting.life import sensor_id
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load as load_queries
from fleetplatform.processing.detectors.three_sigma import HOUR_US, HOURS, ThreeSigma
from fleetplatform.registry.directory import Directory
from fleetplatform.timeseries.instants import EARLIEST, to_datetime, to_us

LANE = 0
SLICE = 2000
"""Entries that are written at once: between two slices the event loop serves the devices."""
REWIND_US = 60_000_000
"""A clock further behind the newest row than this was set back; less is only many batches."""

_log = structlog.get_logger()
_queries: Any = load_queries(__file__)


async def hold_lane(conn: Connection) -> None:
    """Wait until no other transaction stores for the lane, and keep others waiting.

    A batch that was given up may still be committing; state read meanwhile would miss its rows.
    """
    await _queries.hold_lane(conn, lane=LANE)


async def has_readings_before(conn: Connection, measured_us: int) -> bool:
    """Whether anything is stored that was measured before a virtual time."""
    measured = to_datetime(max(0, measured_us))
    found: bool = await _queries.has_readings_before(conn, measured=measured)
    return found


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The sums that have moved, as they were after a batch; one entry a sensor and hour.

    received_us: time of the last batch in them, which is committed · oldest_hour: of the entries.
    """

    received_us: int
    oldest_hour: int
    organization: NDArray[np.int32]
    sensor: NDArray[np.int32]
    hour: NDArray[np.int32]
    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sensor)


class Saver:
    """Writes checkpoints beside the batches: idle → saving (`begin`) → idle.

    A snapshot is a copy, taken between two batches, so no batch waits for its writing.
    """

    def __init__(self, directory: Directory, detector: ThreeSigma, interval_s: float) -> None:
        self._directory = directory
        self._detector = detector
        self._interval_s = interval_s
        self._last_s = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    def begin(self, pool: Pool, received_us: int) -> None:
        """After the commit of a batch: save, if the interval has passed and nothing is saving."""
        idle = self._task is None or self._task.done()
        if idle and time.monotonic() - self._last_s >= self._interval_s:
            self._last_s = time.monotonic()
            self._task = asyncio.create_task(self._save(pool, self._take(received_us)))

    async def finish(self) -> None:
        """Wait until nothing is saving."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def save_now(self, pool: Pool, received_us: int) -> None:
        """Save whatever has moved; returns after commit, or when it has failed."""
        await self.finish()
        await self._save(pool, self._take(received_us))

    def _take(self, received_us: int) -> Snapshot:
        oldest_hour = self._detector.oldest_moved
        sensor, hour, count, mean, squares = self._detector.sums(oldest_hour)
        self._detector.settled()
        device = self._directory.sensor_device[sensor]
        organization = self._directory.device_organization[device]
        return Snapshot(
            received_us, oldest_hour, organization, sensor, hour, count, mean, squares
        )

    async def _save(self, pool: Pool, snapshot: Snapshot) -> None:
        try:
            async with pool.acquire() as conn, conn.transaction():
                for start in range(0, len(snapshot), SLICE):
                    await self._write(conn, snapshot, slice(start, start + SLICE))
                through = to_datetime(snapshot.received_us)
                await _queries.save_checkpoint(conn, lane=LANE, received_through=through)
        except Exception as error:  # the rows are stored: the next checkpoint holds these sums too
            _log.warning("no checkpoint", error=repr(error))
            moved = min(self._detector.oldest_moved, snapshot.oldest_hour)
            self._detector.oldest_moved = moved

    async def _write(self, conn: Connection, snapshot: Snapshot, part: slice) -> None:
        organizations = self._directory.organizations
        await _queries.save_sums(
            conn,
            organizations=[organizations[i] for i in snapshot.organization[part].tolist()],
            sensors=[sensor_id(self._directory, i) for i in snapshot.sensor[part].tolist()],
            hours=[to_datetime(h * HOUR_US) for h in snapshot.hour[part].tolist()],
            counts=snapshot.count[part].astype(np.int64).tolist(),
            means=snapshot.mean[part].tolist(),
            squares=snapshot.squares[part].tolist(),
        )


async def load(
    conn: Connection, directory: Directory, detector: ThreeSigma, now_us: int
) -> int:
    """Fill the sums with what was measured in the 25 hours before a virtual time.

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
