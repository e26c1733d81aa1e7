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
from fleetplatform.timeseries.copy import TABLE
from fleetplatform.timeseries.instants import to_datetime

DAY_US = 86_400_000_000
DAYS = range(0, 84_006)
"""Days since 1970 that may have a partition: to the end of 2199, as in iot.ensure_partition."""

HYPERTABLE = "readings"
"""Beneath the view sensor_data in the layout timescale."""

COMPRESS_AFTER_US = 7 * DAY_US
"""A chunk of the layout timescale that ended so long ago (virtual time) is compressed."""

SINGLE_TYPE = 0
PAUSE_S = 5.0
"""After a partition could not be made, for somebody may keep the table locked for long."""

ATTEMPTS = 2
"""The first waits 20 ms for each lock, the second 300 ms: a batch can do without a partition."""

_TYPES = 1 << 16
_log = structlog.get_logger()
_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class _Storage:
    """range_unit: month, day or None where sensor_data is not partitioned."""

    kind: str
    range_unit: str | None
    split_by_type: bool


class Partitions:
    """What a process knows of the partitions that exist; asks the database for each but once."""

    def __init__(self) -> None:
        self._storage: _Storage | None = None
        self._days: set[tuple[int, int]] = set()
        self._known: set[tuple[str, int]] = set()
        self._not_before_s = 0.0

    @property
    def table(self) -> str:
        """Where readings are copied to, known after `ensure`."""
        return HYPERTABLE if self._storage and self._storage.kind == "timescale" else TABLE

    async def ensure(
        self,
        pool: Pool | Connection,
        measured_us: NDArray[np.int64],
        sensor_type: NDArray[np.int16],
    ) -> None:
        """Have the partitions of n readings made where they are missing, before they are stored.

        One that cannot be made now leaves its readings to the default partition; then none is
        tried for a while, for it is one lock that keeps them all from being made.
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
        if key not in self._known:
            if self._not_before_s > time.monotonic():
                return False
            made = await _queries.ensure_partition(
                pool,
                measured=to_datetime(day * DAY_US),
                sensor_type=code if storage.split_by_type else None,
                attempts=ATTEMPTS,
            )
            if not made:
                _log.warning("no partition", span=key[0], sensor_type=code)
                self._not_before_s = time.monotonic() + PAUSE_S
                return False
            self._known.add(key)
        return True


async def make_ahead(pool: Pool, now_us: int, layout: LayoutSettings) -> None:
    """Make the partitions of now and of the spans to come, and empty the default partitions.

    Types are those of the sensors that exist. By the worker, again and again; cheap when all is
    there.
    """
    storage = await _read_storage(pool)
    if storage.kind == "timescale":
        await _queries.keep_chunks(pool, compress_before=to_datetime(now_us - COMPRESS_AFTER_US))
    if storage.range_unit is None:
        return
    made = await _make_spans(pool, now_us, storage, layout.ahead)
    await _bring_home(pool, ATTEMPTS if made else 1)


async def _make_spans(pool: Pool, now_us: int, storage: _Storage, ahead: int) -> bool:
    """Make what is missing, up to the first that cannot be made: the next turn goes on there."""
    unit = "M" if storage.range_unit == "month" else "D"
    first = np.datetime64(now_us, "us").astype(f"datetime64[{unit}]")
    types: list[int | None] = [None]
    if storage.split_by_type:
        types += [row["sensor_type"] async for row in _queries.sensor_types(pool)]
    for step in range(ahead + 1):
        measured = to_datetime(int((first + step).astype("datetime64[us]").astype(np.int64)))
        for code in types:
            made = await _queries.ensure_partition(
                pool, measured=measured, sensor_type=code, attempts=ATTEMPTS
            )
            if not made:
                _log.warning("no partition ahead", measured_from=str(measured), sensor_type=code)
                return False
    return True


async def _bring_home(pool: Pool, attempts: int) -> None:
    """Give stray readings a partition of their own."""
    strays = [row async for row in _queries.stray_readings(pool)]
    for row in strays:
        home = await _queries.ensure_partition(
            pool, measured=row["measured_from"], sensor_type=row["sensor_type"],
            attempts=attempts,
        )
        attempts = attempts if home else 1
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
    return _Storage(row["kind"], row["range_unit"], row["split_by_type"])


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
