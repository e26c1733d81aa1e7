"""What moving devices report of their place: readings of latitude and longitude, made one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.registry.directory import Directory
from fleetplatform.wire.device_type import SensorType

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Fixes:
    """Places by device, then time, none twice; one length each.

    device: int32, index in the directory · measured_us: µs since 1970 · latitude, longitude:
    degrees; NaN where the other half is all that is known yet.
    """

    device: NDArray[np.int32]
    measured_us: Ints
    latitude: Floats
    longitude: Floats

    def __len__(self) -> int:
        return len(self.device)


def pair(
    directory: Directory,
    sensor: NDArray[np.int32],
    sensor_type: NDArray[np.int16],
    measured_us: Ints,
    value: Floats | None = None,
) -> Fixes | None:
    """The fixes among n readings that were just stored; None where there are none.

    A latitude and a longitude of one device and time are one fix. Of several of one kind, as of a
    device with two receivers, the first counts. Without values both halves are NaN.
    """
    at = np.flatnonzero(sensor_type >= SensorType.LATITUDE)
    if not len(at):
        return None
    at = at[(sensor_type[at] == SensorType.LATITUDE) | (sensor_type[at] == SensorType.LONGITUDE)]
    device, time_us = directory.sensor_device[sensor[at]], measured_us[at]
    order = np.lexsort((time_us, device))
    at, device, time_us = at[order], device[order], time_us[order]
    begins = np.ones(len(at), dtype=np.bool_)
    begins[1:] = (np.diff(device) != 0) | (np.diff(time_us) != 0)
    halves = np.full((2, int(begins.sum())), np.nan)
    if value is not None:
        # The order is stable and of two assignments the last stands: so backwards, the first does.
        half, fix = sensor_type[at] - SensorType.LATITUDE, np.cumsum(begins) - 1
        halves[half[::-1], fix[::-1]] = value[at[::-1]]
    return Fixes(device[begins], time_us[begins], halves[0], halves[1]) if len(at) else None


async def record(conn: Connection, directory: Directory, fixes: Fixes | None) -> int:
    """Record where devices were, in the transaction in which the readings were stored before.

    A half that is NaN is looked up among the stored readings. Returns how many borders of
    geofences were crossed.
    """
    if fixes is None:
        return 0
    events: int = await _queries.record_reported_places(
        conn,
        high=directory.device_high[fixes.device].view(np.int64).tolist(),
        low=directory.device_low[fixes.device].view(np.int64).tolist(),
        measured_us=fixes.measured_us.tolist(),
        latitudes=fixes.latitude.tolist(),
        longitudes=fixes.longitude.tolist(),
        latitude_type=int(SensorType.LATITUDE),
        longitude_type=int(SensorType.LONGITUDE),
    )
    return events
