"""Processed values into the table."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import structlog
from numpy.typing import NDArray

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.registry.identifiers import Halves
from fleetplatform.timeseries import binary
from fleetplatform.timeseries.binary import POSTGRES_EPOCH_US, UUID_FIELD
from fleetplatform.timeseries.instants import to_datetime

PAUSE_S = 5.0
"""After a month could not be made, for somebody may keep the table locked for long."""

_FIELDS: tuple[tuple[str, Any], ...] = (
    ("measurement_timestamp", ">i8"),
    ("value", ">f8"),
    ("organization_id", UUID_FIELD),
    ("sensor_id", UUID_FIELD),
    ("processing_rule_id", UUID_FIELD),
    ("flag", ">i2"),
)
_COLUMNS = tuple(name for name, _ in _FIELDS)

_log = structlog.get_logger()
_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Values:
    """n values that rules made; ids as pairs of halves, `value` NaN where it is undefined."""

    organization: tuple[Halves, Halves]
    sensor: tuple[Halves, Halves]
    rule: tuple[Halves, Halves]
    measured_us: NDArray[np.int64]
    value: NDArray[np.float64]
    flag: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.measured_us)

    @property
    def undefined(self) -> NDArray[np.bool_]:
        """Which have no value."""
        return np.isnan(self.value)


async def write(conn: Connection, values: Values) -> None:
    """Store values in the caller's transaction.

    Some are there already only where a reading went, by retention, and was sent again: then those
    stay as they are, and the batch is stored all the same.
    """
    if not len(values):
        return
    try:
        async with conn.transaction():
            await binary.copy(conn, "processed_data", _COLUMNS, _pack(values))
    except asyncpg.UniqueViolationError:
        await _queries.store_missing(
            conn,
            organizations=_ids(values.organization),
            sensors=_ids(values.sensor),
            rules=_ids(values.rule),
            measured=[to_datetime(t) for t in values.measured_us.tolist()],
            made_values=[None if value != value else value for value in values.value.tolist()],
            flags=values.flag.tolist(),
        )


def _pack(values: Values) -> list[memoryview]:
    blocks = []
    undefined = values.undefined
    for null in (False, True):
        chosen = np.flatnonzero(undefined == null)
        if not len(chosen):
            continue
        at: Any = slice(None) if len(chosen) == len(values) else chosen
        columns = {
            "measurement_timestamp": values.measured_us[at] - POSTGRES_EPOCH_US,
            "value": None if null else values.value[at],
            "organization_id": tuple(half[at] for half in values.organization),
            "sensor_id": tuple(half[at] for half in values.sensor),
            "processing_rule_id": tuple(half[at] for half in values.rule),
            "flag": values.flag[at],
        }
        records = binary.records(_FIELDS, columns, len(chosen))
        blocks.append(records.view(np.uint8).data)
    return blocks


def _ids(halves: tuple[Halves, Halves]) -> list[UUID]:
    both = zip(halves[0].tolist(), halves[1].tolist(), strict=True)
    return [UUID(int=high << 64 | low) for high, low in both]


class Months:
    """What a process knows of the months that exist; asks the database for each but once."""

    def __init__(self) -> None:
        self._known: set[np.datetime64] = set()
        self._not_before_s: dict[np.datetime64, float] = {}

    async def ensure(self, pool: Pool, measured_us: NDArray[np.int64]) -> None:
        """Have the months of n values made, in transactions of their own.

        One that cannot be made now leaves its values to the default partition.
        """
        for day in np.unique(measured_us // 86_400_000_000).tolist():
            month = np.datetime64(day, "D").astype("datetime64[M]")
            if month in self._known or self._not_before_s.get(month, 0.0) > time.monotonic():
                continue
            if await _queries.ensure_month(pool, measured=to_datetime(day * 86_400_000_000)):
                self._known.add(month)
            else:
                _log.warning("no partition", table="processed_data", month=str(month))
                self._not_before_s[month] = time.monotonic() + PAUSE_S
