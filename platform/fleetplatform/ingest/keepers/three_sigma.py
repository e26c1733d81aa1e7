"""three_sigma: the sums of each sensor's hours, a row each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load as load_queries
from fleetplatform.ingest.keepers import SLICE, find_sensors, owners_of
from fleetplatform.processing.detectors.three_sigma import HOUR_US, HOURS, ThreeSigma
from fleetplatform.registry.directory import Directory
from fleetplatform.timeseries.instants import to_datetime, to_us

_queries: Any = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Taken:
    """The sums that have moved, one entry a sensor and hour; `oldest_hour` of the entries."""

    oldest_hour: int
    sensor: NDArray[np.int32]
    hour: NDArray[np.int32]
    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]


def make(directory: Directory) -> "SumsKeeper":
    """The keeper over that directory."""
    return SumsKeeper(directory)


class SumsKeeper:
    """Writes the hours that have moved; what came since is summed by the database."""

    name = "three_sigma"
    look_back_us = (HOURS + 1) * HOUR_US

    def __init__(self, directory: Directory) -> None:
        self.detector = ThreeSigma()
        self._directory = directory

    def take(self) -> Taken:
        """A copy of the hours that have moved."""
        oldest_hour = self.detector.oldest_moved
        sums = self.detector.sums(oldest_hour)
        self.detector.settled()
        return Taken(oldest_hour, *sums)

    def put_back(self, taken: Taken) -> None:
        """They have still to be written."""
        self.detector.oldest_moved = min(self.detector.oldest_moved, taken.oldest_hour)

    async def write(self, conn: Connection, taken: Taken) -> None:
        """Each hour of each sensor once."""
        for start in range(0, len(taken.sensor), SLICE):
            part = slice(start, start + SLICE)
            organizations, sensors = owners_of(self._directory, taken.sensor[part])
            await _queries.save_sums(
                conn,
                organizations=organizations,
                sensors=sensors,
                hours=[to_datetime(h * HOUR_US) for h in taken.hour[part].tolist()],
                counts=taken.count[part].astype(np.int64).tolist(),
                means=taken.mean[part].tolist(),
                squares=taken.squares[part].tolist(),
            )

    async def load(self, conn: Connection, since_us: int) -> None:
        """The sums of the hours since then."""
        rows = [row async for row in _queries.load_sums(conn, since=to_datetime(since_us))]
        self._add(rows)
        self.detector.settled()

    async def forget(self, conn: Connection) -> None:
        """Nothing: each hour is written again as it is, or is too old to matter."""

    async def follow(self, conn: Connection, received_us: int, since_us: int) -> int:
        """Add what the database sums of the readings received since."""
        found = _queries.sums_since(
            conn, received_after=to_datetime(received_us), measured_after=to_datetime(since_us)
        )
        rows = [row async for row in found]
        self._add(rows)
        return max((to_us(row["last_received"]) for row in rows), default=0)

    def _add(self, rows: list[Any]) -> None:
        if not rows:
            return
        index = find_sensors([row["sensor_id"] for row in rows], self._directory)
        hour = np.array([to_us(row["hour_start"]) // HOUR_US for row in rows], dtype=np.int32)
        count = np.array([row["reading_count"] for row in rows], dtype=np.float64)
        mean = np.array([row["mean_value"] for row in rows], dtype=np.float64)
        squares = np.array([row["sum_squared_deviations"] for row in rows], dtype=np.float64)
        # Hour by hour, oldest first: a newer hour may take an older one's slot, never the reverse.
        for one in np.unique(hour).tolist():
            at = (hour == one) & (index >= 0)
            self.detector.add(index[at], hour[at], count[at], mean[at], squares[at])
