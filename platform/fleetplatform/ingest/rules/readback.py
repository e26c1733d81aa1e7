"""Readings as they were stored, for an engine that calibrates and judges them in the database."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.alerting.life import sensor_id
from fleetplatform.batch import Rows
from fleetplatform.database.pool import Connection
from fleetplatform.database.queries import load
from fleetplatform.ingest.submission import Arrivals
from fleetplatform.registry.directory import Directory
from fleetplatform.timeseries.instants import to_datetime

_queries: Any = load(__file__)


async def rows(
    conn: Connection, directory: Directory, arrivals: Arrivals, at: NDArray[np.intp]
) -> Rows:
    """The readings at these positions as rows; the value of a sensitive sensor's is NaN."""
    sensor, measured_us = arrivals.sensor[at], arrivals.t_us[at]
    sensor_type = directory.sensor_type[sensor]
    value = np.full(len(at), np.nan)
    quality = np.zeros(len(at), dtype=np.int16)
    async for row in _queries.read_back(
        conn,
        sensors=[sensor_id(directory, one) for one in sensor.tolist()],
        measured=[to_datetime(t) for t in measured_us.tolist()],
        sensor_types=sensor_type.tolist(),
    ):
        quality[row["at"]] = row["quality"]
        if row["measured_value"] is not None:
            value[row["at"]] = row["measured_value"]
    device = directory.sensor_device[sensor]
    organization = directory.device_organization[device]
    return Rows(
        sensor=sensor,
        sensor_high=directory.sensor_high[sensor],
        sensor_low=directory.sensor_low[sensor],
        device_high=directory.device_high[device],
        device_low=directory.device_low[device],
        organization_high=directory.organization_high[organization],
        organization_low=directory.organization_low[organization],
        sensor_type=sensor_type,
        measured_us=measured_us,
        value=value,
        raw=np.full(len(at), np.nan),
        quality=quality,
        is_anomaly=np.zeros(len(at), dtype=np.bool_),
        score=np.full(len(at), np.nan),
        metadata=None,
        received_us=arrivals.received_us,
    )
