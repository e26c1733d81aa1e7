"""The baseline: the document's function made right, called for each reading.

The database does everything, one reading at a time, and scans 24 hours of raw rows for each. A
batch is one transaction all the same. Its only state is what processing rules remember.
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
) -> "RowEngine":
    """The engine over that directory."""
    return RowEngine(settings, directory, keys)


class RowEngine:
    """Every question is asked of the tables; processing rules see what was stored."""

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
        """Store the accepted readings one by one, in measurement order of each sensor."""
        order = by_sensor_and_time(arrivals.sensor[accepted], arrivals.t_us[accepted])
        at = accepted[order]
        types = self._directory.sensor_type[arrivals.sensor[at]]
        await self._partitions.ensure(pool, arrivals.t_us[at], types)
        rows, processed = await self._process(pool, arrivals, at)
        self._rules.committed()
        duplicate = np.empty(len(accepted), dtype=np.bool_)
        duplicate[order] = [row["duplicate"] for row in rows]
        return Stored(
            duplicate=duplicate,
            conflicts=sum(row["conflict"] for row in rows),
            alerts_raised=sum(row["raised"] for row in rows),
            alerts_cleared=sum(row["cleared"] for row in rows),
            processed=processed,
        )

    async def _record_places(
        self, conn: Connection, arrivals: Arrivals, at: NDArray[np.intp], rows: list[Any]
    ) -> None:
        """Record where moving devices were; what they measured is read from the table."""
        fresh = at[[not row["duplicate"] for row in rows]]
        sensor, directory = arrivals.sensor[fresh], self._directory
        fixes = reported.pair(
            directory, sensor, directory.sensor_type[sensor], arrivals.t_us[fresh]
        )
        await reported.record(conn, directory, fixes)

    async def _process(
        self, pool: Pool, arrivals: Arrivals, at: NDArray[np.intp]
    ) -> tuple[list[Any], Processed]:
        metadata = [None] * len(at) if arrivals.metadata is None else arrivals.metadata[at].tolist()
        sensors = [sensor_id(self._directory, i) for i in arrivals.sensor[at].tolist()]
        measured = [to_datetime(t) for t in arrivals.t_us[at].tolist()]
        keys = self._keys
        for attempt in range(TRIES_MAX):
            try:
                async with pool.acquire() as conn, conn.transaction():
                    await checkpoint.hold_lane(conn)
                    found = _queries.process(
                        conn,
                        sensors=sensors,
                        measured=measured,
                        sent_values=arrivals.raw[at].tolist(),
                        metadata=metadata,
                        received=to_datetime(arrivals.received_us),
                        active_key_id=keys.active if keys else None,
                        key_ids=keys.ids if keys else [],
                        keys=keys.secrets if keys else [],
                        **self._quality,
                    )
                    rows = [row async for row in found]
                    await self._record_places(conn, arrivals, at, rows)
                    fresh = at[[not row["duplicate"] for row in rows]]
                    return rows, await self._rules.write_stored(conn, arrivals, fresh)
            except (
                asyncpg.UniqueViolationError,
                asyncpg.SerializationError,
                asyncpg.DeadlockDetectedError,
                asyncpg.CheckViolationError,  # a partition was attached under way to the default
            ):
                if attempt == TRIES_MAX - 1:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")
