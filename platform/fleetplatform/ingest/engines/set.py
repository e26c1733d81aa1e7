"""A batch as a set: one SQL statement judges, stores and alerts.

The semantics are those of `row`, reading by reading, written with window functions and joins; the
baseline still comes from 24 hours of raw rows, but once for each sensor and hour of the batch.

The client sends one statement (iot.process_batch) and, for moving devices alone, a second one for
their places. Before it the lane's lock is taken by a statement of its own: a statement sees what
was committed when it began, and a batch that was given up may be committing still.
"""

from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from fleetplatform.alerting.life import sensor_id
from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.ingest import checkpoint, continuation
from fleetplatform.ingest.engines import Stored, by_sensor_and_time
from fleetplatform.ingest.rules import Processed, RuleStage
from fleetplatform.ingest.submission import Arrivals
from fleetplatform.registry.directory import Directory
from fleetplatform.registry.places import reported
from fleetplatform.settings import EncryptionKeys, PlatformSettings
from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.timeseries.partitions import Partitions

TRIES_MAX = 3

_queries: Any = load(__file__)


def make(
    settings: PlatformSettings, directory: Directory, keys: EncryptionKeys | None
) -> "SetEngine":
    """The engine over that directory."""
    return SetEngine(settings, directory, keys)


class SetEngine:
    """Every question is asked of the tables; only processing rules remember anything."""

    def __init__(
        self, settings: PlatformSettings, directory: Directory, keys: EncryptionKeys | None
    ) -> None:
        self._quality = continuation.in_database(settings.quality)
        self._directory = directory
        self._keys = keys
        self._partitions = Partitions()
        self._rules = RuleStage(directory)

    async def load(self, pool: Pool, now_us: int) -> None:
        """Build what processing rules remember."""
        async with pool.acquire() as conn, conn.transaction():
            await checkpoint.hold_lane(conn)
            await self._rules.load(pool, now_us)

    async def restore(self, pool: Pool, now_us: int) -> None:
        """Build it anew after a batch of which it is not known whether it was stored."""
        if self._rules.in_doubt:
            await self.load(pool, now_us)

    async def checkpoint(self, pool: Pool) -> None:
        """There is no state to write down."""

    async def store(self, pool: Pool, arrivals: Arrivals, accepted: NDArray[np.intp]) -> Stored:
        """Store the accepted readings at once."""
        order = by_sensor_and_time(arrivals.sensor[accepted], arrivals.t_us[accepted])
        at = accepted[order]
        types = self._directory.sensor_type[arrivals.sensor[at]]
        await self._partitions.ensure(pool, arrivals.t_us[at], types)
        row, processed = await self._process(pool, arrivals, at)
        self._rules.committed()
        duplicate = np.empty(len(accepted), dtype=np.bool_)
        duplicate[order] = row["duplicates"]
        return Stored(duplicate, row["conflicts"], row["raised"], row["cleared"], processed)

    async def _process(
        self, pool: Pool, arrivals: Arrivals, at: NDArray[np.intp]
    ) -> tuple[Any, Processed]:
        given = self._parameters(arrivals, at)
        for attempt in range(TRIES_MAX):
            try:
                async with pool.acquire() as conn, conn.transaction():
                    await checkpoint.hold_lane(conn)
                    row = await _queries.process_batch(conn, **given)
                    fresh = at[~np.array(row["duplicates"], dtype=np.bool_)]
                    await self._record_places(conn, arrivals, fresh)
                    return row, await self._rules.write_stored(conn, arrivals, fresh)
            except (
                asyncpg.CheckViolationError,  # a partition was attached under way to the default
                asyncpg.UniqueViolationError,
                asyncpg.SerializationError,
                asyncpg.DeadlockDetectedError,
            ):
                if attempt == TRIES_MAX - 1:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _parameters(self, arrivals: Arrivals, at: NDArray[np.intp]) -> dict[str, Any]:
        sensors, which = np.unique(arrivals.sensor[at], return_inverse=True)
        keys = self._keys
        return {
            "sensors": [sensor_id(self._directory, index) for index in sensors.tolist()],
            "which": (which + 1).tolist(),
            "measured_us": arrivals.t_us[at].tolist(),
            "sent_values": arrivals.raw[at].tolist(),
            "metadata": None if arrivals.metadata is None else arrivals.metadata[at].tolist(),
            "received": to_datetime(arrivals.received_us),
            "active_key_id": keys.active if keys else None,
            "key_ids": keys.ids if keys else [],
            "keys": keys.secrets if keys else [],
            **self._quality,
        }

    async def _record_places(
        self, conn: Connection, arrivals: Arrivals, fresh: NDArray[np.intp]
    ) -> None:
        """Record where moving devices were; what they measured is read from the table."""
        sensor, directory = arrivals.sensor[fresh], self._directory
        fixes = reported.pair(
            directory, sensor, directory.sensor_type[sensor], arrivals.t_us[fresh]
        )
        await reported.record(conn, directory, fixes)
