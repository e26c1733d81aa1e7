"""How the state of a detector is kept in the database: one file for each detector, of its name.

A keeper has the detector it keeps. `ingest/checkpoint.py` says when something is written and which
readings are in what was written; a keeper knows tables. The file has `make(directory)`.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fleetconf import kinds
from fleetplatform.alerting.life import sensor_id
from fleetplatform.database.pool import Connection
from fleetplatform.errors import SettingsError
from fleetplatform.processing.detectors import Detector
from fleetplatform.registry.directory import Directory

SLICE = 2000
"""Entries that are written at once: between two slices the event loop serves the devices."""


class Keeper(Protocol):
    """name: the detector's · look_back_us: readings older than this teach it nothing."""

    name: str
    detector: Detector
    look_back_us: int

    def take(self) -> Any:
        """A copy of what has moved since the last one; it counts as written from now on."""

    def put_back(self, taken: Any) -> None:
        """What was taken could not be written: it has still to be."""

    async def write(self, conn: Connection, taken: Any) -> None:
        """Write it, within a transaction."""

    async def load(self, conn: Connection, since_us: int) -> None:
        """Fill an empty detector with what was written of the time since then."""

    async def forget(self, conn: Connection) -> None:
        """What was written is not to be believed; within a transaction."""

    async def follow(self, conn: Connection, received_us: int, since_us: int) -> int:
        """Take in readings that were received after a time; the newest `received_at`, or 0."""
        ...


def make_keeper(detector: str, directory: Directory) -> Keeper:
    """The keeper of a detector; raises SettingsError where there is none of that name."""
    found = kinds.find(__name__)
    if detector not in found:
        names = ", ".join(sorted(found))
        raise SettingsError(f"platform.ingest.detector: no detector {detector!r}; use {names}")
    keeper: Keeper = found[detector].make(directory)
    return keeper


def owners_of(directory: Directory, sensor: NDArray[np.int32]) -> tuple[list[Any], list[Any]]:
    """Organization and sensor by id, of n sensors."""
    organization = directory.device_organization[directory.sensor_device[sensor]]
    organizations = directory.organizations
    return (
        [organizations[i] for i in organization.tolist()],
        [sensor_id(directory, i) for i in sensor.tolist()],
    )


def find_sensors(ids: list[Any], directory: Directory) -> NDArray[np.int32]:
    """Sensors by id; −1 for those that are not known."""
    high = np.array([one.int >> 64 for one in ids], dtype=np.uint64)
    low = np.array([one.int & (2**64 - 1) for one in ids], dtype=np.uint64)
    return directory.find_sensors(high, low)
