"""Partitions: there before the readings that need them."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.errors import DatabaseError
from fleetplatform.settings import LayoutSettings
from fleetplatform.timeseries.instants import to_datetime

DAY_US = 86_400_000_000
DAYS = range(0, 84_006)
"""Days since 1970 that may have a partition: to the end of 2199, as in iot.ensure_partition."""

SINGLE_TYPE = 0
PAUSE_S = 5.0
"""After a partition could not be made, for somebody may keep the table locked for long."""

_TYPES = 1 << 16
_log = structlog.get_logger()
_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class _Storage:
    """range_unit: month, day or None where sensor_data is not partitioned."""

    range_unit: str | None
    split_by_type: bool


class Partitions:
    """What a process knows of the partitions that exist; asks the database for each but once."""

    def __init__(self) -> None:
        self._storage: _Storage | None = None
        self._days: set[tuple[int, int]] = set()
        self._known: set[tuple[str, int]] = set()
        self._not_before_s: dict[tuple[str, int], float] = {}

    async def ensure(
        self,
        pool: Pool | Connection,
        measured_us: NDArray[np.int64],
        sensor_type: NDArray[np.int16],
    ) -> None:
        """Have the partitions of n readings made where they are missing, before they are stored.

        One that cannot be made now leaves its readings to the default partition.
        """
        if not len(measured_us):
            return
        if self._storage is None:
            self._storage = await _read_storage(pool)
        if self._storage.range_unit is None:
            return
        types = sensor_type if self._storage.split_by_type else None
        for day, code in sorted(_days_and_types(measured_us, types) - self._days):
            if day not in DAYS or await self._ensure_one(pool, self._storage, day, code):
                self._days.add((day, code))

    async def _ensure_one(
        self, pool: Pool | Connection, storage: _Storage, day: int, code: int
    ) -> bool:
        unit = "M" if storage.range_unit == "month" else "D"
        key = (str(np.datetime64(day, "D").astype(f"datetime64[{unit}]")), code)
        if self._not_before_s.get(key, 0.0) > time.monotonic():
            return False
        if key not in self._known:
            made = await _queries.ensure_partition(
                pool,
                measured=to_datetime(day * DAY_US),
                sensor_type=code if storage.split_by_type else None,
            )
            if not made:
                _log.warning("no partition", span=key[0], sensor_type=code)
                self._not_before_s[key] = time.monotonic() + PAUSE_S
                return False
            self._known.add(key)
        return True


async def make_ahead(pool: Pool, now_us: int, layout: LayoutSettings) -> None:
    """Make the partitions of now and of the spans to come, and empty the default partitions.

    Types are those of the sensors that exist. By the worker, again and again; cheap when all is
    there.
    """
    storage = await _read_storage(pool)
    if storage.range_unit is None:
        return
    unit = "M" if storage.range_unit == "month" else "D"
    first = np.datetime64(now_us, "us").astype(f"datetime64[{unit}]")
    types: list[int | None] = [None]
    if storage.split_by_type:
        types += [row["sensor_type"] async for row in _queries.sensor_types(pool)]
    for step in range(layout.ahead + 1):
        measured = to_datetime(int((first + step).astype("datetime64[us]").astype(np.int64)))
        for code in types:
            await _queries.ensure_partition(pool, measured=measured, sensor_type=code)
    await _bring_home(pool)


async def _bring_home(pool: Pool) -> None:
    """Give stray readings a partition of their own."""
    strays = [row async for row in _queries.stray_readings(pool)]
    for row in strays:
        home = await _queries.ensure_partition(
            pool, measured=row["measured_from"], sensor_type=row["sensor_type"]
        )
        _log.warning(
            "readings in a default partition",
            measured_from=str(row["measured_from"]),
            sensor_type=row["sensor_type"],
            count=row["reading_count"],
            moved=home,
        )


async def _read_storage(pool: Pool | Connection) -> _Storage:
    row = await _queries.storage_layout(pool)
    if row is None:
        raise DatabaseError("the database has no storage for readings: prepare it with fleetstorm")
    return _Storage(row["range_unit"], row["split_by_type"])


def _days_and_types(
    measured_us: NDArray[np.int64], sensor_type: NDArray[np.int16] | None
) -> set[tuple[int, int]]:
    """The (day since 1970, type) pairs that occur; type 0 for all where types do not matter."""
    first, last = int(measured_us.min()) // DAY_US, int(measured_us.max()) // DAY_US
    one_type = sensor_type is None or bool((sensor_type == sensor_type[0]).all())
    if one_type:
        code = SINGLE_TYPE if sensor_type is None else int(sensor_type[0])
        if first == last:
            return {(first, code)}
        return {(day, code) for day in np.unique(measured_us // DAY_US).tolist()}
    assert sensor_type is not None
    if first == last:
        return {(first, code) for code in np.unique(sensor_type).tolist()}
    pairs = np.unique(measured_us // DAY_US * _TYPES + sensor_type)
    return {(pair // _TYPES, pair % _TYPES) for pair in pairs.tolist()}
