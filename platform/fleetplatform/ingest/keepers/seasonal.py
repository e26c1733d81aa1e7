"""seasonal: each sensor's profile, written when an hour of it has ended, and its present hour.

What came since is read back and observed once more: the state is then what it would have been.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load as load_queries
from fleetplatform.ingest.keepers import SLICE, find_sensors, owners_of
from fleetplatform.processing.detectors.seasonal import HOUR_US, Seasonal
from fleetplatform.processing.profile import HOUR_FIELDS, PROFILE, WEEK
from fleetplatform.registry.directory import Directory
from fleetplatform.timeseries.instants import to_datetime

REPLAY_ROWS = 50_000

_queries: Any = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Taken:
    """Which sensors' hours have moved and whose profiles, with both."""

    moved: NDArray[np.int32]
    hours: NDArray[np.float64]
    learnt: NDArray[np.int32]
    profiles: NDArray[np.void]


def make(directory: Directory) -> "ProfileKeeper":
    """The keeper over that directory."""
    return ProfileKeeper(directory)


class ProfileKeeper:
    """Two rows a sensor: the large one changes once an hour."""

    name = "seasonal"
    look_back_us = 4 * WEEK * HOUR_US

    def __init__(self, directory: Directory) -> None:
        self.detector = Seasonal()
        self._directory = directory

    def take(self) -> Taken:
        """A copy of what has moved."""
        return Taken(*self.detector.take())

    def put_back(self, taken: Taken) -> None:
        """It has still to be written."""
        self.detector.mark(taken.moved, taken.learnt)

    async def write(self, conn: Connection, taken: Taken) -> None:
        """The profiles, then the hours."""
        for start in range(0, len(taken.learnt), SLICE):
            part = slice(start, start + SLICE)
            organizations, sensors = owners_of(self._directory, taken.learnt[part])
            profiles = [one.tobytes() for one in taken.profiles[part]]
            await _queries.save_profiles(
                conn, organizations=organizations, sensors=sensors, profiles=profiles
            )
        for start in range(0, len(taken.moved), SLICE):
            part = slice(start, start + SLICE)
            organizations, sensors = owners_of(self._directory, taken.moved[part])
            await _queries.save_hours(
                conn,
                organizations=organizations,
                sensors=sensors,
                sums=taken.hours[part].ravel().tolist(),
                width=HOUR_FIELDS,
            )

    async def load(self, conn: Connection, since_us: int) -> None:
        """All sensors' profiles and hours, however old: a profile is worth what it was."""
        found = _queries.load_profiles(conn, bytes=PROFILE.itemsize, width=HOUR_FIELDS)
        rows = [row async for row in found]
        if rows:
            index = find_sensors([row["sensor_id"] for row in rows], self._directory)
            profiles = np.frombuffer(b"".join(row["profile"] for row in rows), dtype=PROFILE)
            hours = np.array([row["hour_sums"] for row in rows], dtype=np.float64)
            known = index >= 0
            self.detector.put(index[known], profiles[known], hours[known])

    async def forget(self, conn: Connection) -> None:
        """Delete what is there: a sensor that sends no more would keep it for good."""
        await _queries.forget_profiles(conn)
        await _queries.forget_hours(conn)

    async def follow(self, conn: Connection, received_us: int, since_us: int) -> int:
        """Observe the readings received since, in the order in which they came."""
        newest = 0
        cursor = await conn.cursor(
            _queries.readings_since.sql.rstrip().removesuffix(";"),
            to_datetime(received_us),
            to_datetime(since_us),
        )
        while rows := await cursor.fetch(REPLAY_ROWS):
            self._observe(rows)
            newest = max(newest, rows[-1]["received_us"])
        return newest

    def _observe(self, rows: list[Any]) -> None:
        sensor = find_sensors([row["sensor_id"] for row in rows], self._directory)
        measured_us = np.array([row["measured_us"] for row in rows], dtype=np.int64)
        value = np.array([row["measurement_value"] for row in rows], dtype=np.float64)
        # A sensor may have been enrolled after room was made; its rows are another process's.
        self.detector.reserve(int(sensor.max(initial=-1)) + 1)
        order = np.lexsort((measured_us, sensor))
        order = order[sensor[order] >= 0]
        self.detector.observe(sensor[order], measured_us[order], value[order])
