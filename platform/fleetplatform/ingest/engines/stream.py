"""The default engine: numpy stages, binary COPY, state in memory.

Calibrate, judge quality, score, evaluate rules: all on arrays. A reading newer than its sensor's
newest cannot be stored yet, so only the others are looked up for duplicates; the
COPY itself is refused only if somebody else wrote, and then the batch is taken again with all
readings looked up.
"""

from dataclasses import dataclass

import asyncpg
import numpy as np
from numpy.typing import NDArray

from fleetplatform import timeseries
from fleetplatform.alerting import life
from fleetplatform.alerting.rulebook import Rulebook, Transitions
from fleetplatform.batch import Rows
from fleetplatform.database.pool import Pool
from fleetplatform.ingest import checkpoint, continuation
from fleetplatform.ingest.engines import Stored, by_sensor_and_time
from fleetplatform.ingest.keepers import make_keeper
from fleetplatform.ingest.rules import RuleStage
from fleetplatform.ingest.submission import Arrivals
from fleetplatform.processing.calibration import calibrate
from fleetplatform.processing.continuity import Continuity
from fleetplatform.processing.quality import Quality, judge_range
from fleetplatform.registry.directory import Directory
from fleetplatform.registry.places import reported
from fleetplatform.settings import EncryptionKeys, PlatformSettings
from fleetplatform.timeseries import sensitive
from fleetplatform.timeseries.partitions import Partitions

TRIES_MAX = 3
TAKES_ANY_DETECTOR = True


def make(
    settings: PlatformSettings, directory: Directory, keys: EncryptionKeys | None
) -> "StreamEngine":
    """The engine over that directory."""
    return StreamEngine(settings, directory, keys)


@dataclass(slots=True)
class _Found:
    """Positions (in sorted order) that are stored already, and how many had another value."""

    duplicate: NDArray[np.bool_]
    conflicts: int


class StreamEngine:
    """State: the detector's, each sensor's newest reading, which alerts are open.

    `_newest_us` is the newest `received_at` among the rows of that state, and `_received_us` that
    of the last batch: behind the former, the clock was set back and no checkpoint can be written.
    The newest readings are known of those measured since `_known_from_us`.
    """

    def __init__(
        self, settings: PlatformSettings, directory: Directory, keys: EncryptionKeys | None
    ) -> None:
        self._directory = directory
        self._keys = keys
        self._keeper = make_keeper(settings.ingest.detector, directory)
        self._detector = self._keeper.detector
        self._rulebook = Rulebook(directory)
        self._rules = RuleStage(directory)
        self._partitions = Partitions()
        self._continuity = Continuity()
        self._tolerances = continuation.tolerances(settings.quality)
        interval_s = settings.ingest.checkpoint_interval
        self._saver = checkpoint.Saver(self._keeper, interval_s)
        self._known_from_us = 0
        self._newest_us = 0
        self._received_us = 0
        self._sound = False

    async def load(self, pool: Pool, now_us: int) -> None:
        """Build the state from the last checkpoint and the rows received since."""
        await self._saver.finish()
        self._detector.clear()
        self._continuity.clear()
        self._reserve()
        since_us = now_us - continuation.LOOK_BACK_US
        async with pool.acquire() as conn, conn.transaction():
            await checkpoint.hold_lane(conn)
            # In a new database the state knows everything, however far the clock is set back.
            older = await checkpoint.has_readings_before(conn, since_us)
            self._known_from_us = since_us if older else 0
            self._newest_us = await checkpoint.load(
                conn, self._keeper, now_us
            )
            await continuation.load(conn, self._directory, self._continuity, since_us)
            await life.load_open(conn, self._rulebook, self._directory)
            await self._rules.load(pool, now_us)
        self._sound = True

    async def restore(self, pool: Pool, now_us: int) -> None:
        """Build the state anew where the last batch has left it in doubt."""
        if not self._sound:
            await self.load(pool, now_us)

    def _reserve(self) -> None:
        count = self._directory.sensor_count
        self._detector.reserve(count)
        self._continuity.reserve(count)
        self._rulebook.fresh()

    async def store(self, pool: Pool, arrivals: Arrivals, accepted: NDArray[np.intp]) -> Stored:
        """Store the accepted readings; on any error the state is built anew before the next."""
        look_up_all = False
        for attempt in range(1, TRIES_MAX + 1):
            await self.restore(pool, arrivals.received_us)
            self._reserve()
            self._sound = False
            self._order(arrivals)
            try:
                stored = await self._try(pool, arrivals, accepted, look_up_all)
            except (asyncpg.UniqueViolationError, asyncpg.SerializationError,
                    asyncpg.DeadlockDetectedError):
                if attempt == TRIES_MAX:
                    raise
                look_up_all = True
            except asyncpg.CheckViolationError:
                # Their partition was attached while they were on their way to the default one.
                if attempt == TRIES_MAX:
                    raise
            else:
                self._sound = True
                return stored
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _order(self, arrivals: Arrivals) -> None:
        """Have a clock that stands still, or was read by another machine, not repeat a time."""
        if self._newest_us - checkpoint.REWIND_US < arrivals.received_us <= self._newest_us:
            arrivals.received_us = self._newest_us + 1

    async def _try(
        self, pool: Pool, arrivals: Arrivals, accepted: NDArray[np.intp], look_up_all: bool
    ) -> Stored:
        order = by_sensor_and_time(arrivals.sensor[accepted], arrivals.t_us[accepted])
        rows = self._rows(arrivals, accepted[order])
        await self._partitions.ensure(pool, rows.measured_us, rows.sensor_type)
        async with pool.acquire() as conn, conn.transaction():
            await checkpoint.hold_lane(conn)
            found = await self._find_duplicates(conn, rows, look_up_all)
            fresh = rows.take(~found.duplicate) if found.duplicate.any() else rows
            transitions = self._evaluate(fresh)
            if len(fresh):
                await self._write(conn, fresh)
                await self._record_places(conn, fresh)
            processed = await self._rules.write(conn, fresh)
            raised, cleared = await life.apply(
                conn, transitions, self._rulebook, self._directory
            )
        self._rules.committed()
        if arrivals.received_us > self._newest_us:
            self._saver.begin(pool, arrivals.received_us)
        self._received_us = arrivals.received_us
        self._newest_us = max(self._newest_us, arrivals.received_us)
        duplicate = np.empty(len(accepted), dtype=np.bool_)
        duplicate[order] = found.duplicate
        return Stored(duplicate, found.conflicts, raised, cleared, processed)

    async def _record_places(self, conn: asyncpg.Connection, fresh: Rows) -> None:
        """Record where moving devices were, of readings that are stored in this transaction."""
        fixes = reported.pair(
            self._directory, fresh.sensor, fresh.sensor_type, fresh.measured_us, fresh.value
        )
        await reported.record(conn, self._directory, fixes)

    def _rows(self, arrivals: Arrivals, at: NDArray[np.intp]) -> Rows:
        """The readings as rows, calibrated and judged for range and overdue calibration."""
        directory = self._directory
        sensor, measured_us = arrivals.sensor[at], arrivals.t_us[at]
        device = directory.sensor_device[sensor]
        organization = directory.device_organization[device]
        value, raw, overdue = calibrate(
            arrivals.raw[at], sensor, measured_us, directory.calibrations
        )
        quality = judge_range(value, directory.value_min[sensor], directory.value_max[sensor])
        quality[overdue] |= np.int16(Quality.UNCALIBRATED)
        return Rows(
            sensor=sensor,
            sensor_high=directory.sensor_high[sensor],
            sensor_low=directory.sensor_low[sensor],
            device_high=directory.device_high[device],
            device_low=directory.device_low[device],
            organization_high=directory.organization_high[organization],
            organization_low=directory.organization_low[organization],
            sensor_type=directory.sensor_type[sensor],
            measured_us=measured_us,
            value=value,
            raw=raw,
            quality=quality,
            is_anomaly=np.zeros(len(at), dtype=np.bool_),
            score=np.full(len(at), np.nan),
            metadata=None if arrivals.metadata is None else arrivals.metadata[at],
            received_us=arrivals.received_us,
        )

    async def _write(self, conn: asyncpg.Connection, rows: Rows) -> None:
        """What is sensitive encrypted by one statement, the rest by COPY."""
        secret = self._directory.sensor_sensitive[rows.sensor]
        if secret.any():
            assert self._keys is not None  # without keys admission lets no such reading through
            await sensitive.write(conn, rows.take(secret), self._keys)
            rows = rows.take(~secret)
        if len(rows):
            await timeseries.write(conn, rows, self._partitions.table)

    async def _find_duplicates(
        self, conn: asyncpg.Connection, rows: Rows, look_up_all: bool
    ) -> _Found:
        sent = np.where(np.isnan(rows.raw), rows.value, rows.raw)
        again = np.zeros(len(rows), dtype=np.bool_)
        again[1:] = (np.diff(rows.sensor) == 0) & (np.diff(rows.measured_us) == 0)
        first = np.maximum.accumulate(np.where(again, 0, np.arange(len(rows))))
        kept = sent.copy()
        suspect = ~again
        if not look_up_all:
            # Of what was stored longer ago than the state goes back, it tells nothing.
            since_us = np.maximum(
                self._continuity.newest_us[rows.sensor], self._known_from_us
            )
            suspect &= rows.measured_us <= since_us
        secret = self._directory.sensor_sensitive[rows.sensor]
        in_clear = suspect & ~secret
        if in_clear.any():
            at, value = await timeseries.find_stored(conn, rows, np.flatnonzero(in_clear))
            kept[at] = value
            again[at] = True
        differs = sent != kept[first]
        # The stored value is not told: all readings of its key are compared with it, not the first.
        in_secret = secret & suspect[first]
        if in_secret.any():
            assert self._keys is not None
            at, other = await sensitive.find_stored(
                conn, rows, np.flatnonzero(in_secret), self._keys
            )
            differs[at] = other
            again[at] = True
        return _Found(again, int(differs.sum()))

    def _evaluate(self, rows: Rows) -> Transitions:
        """Judge what came in order by what was before, score it, ask the rules; moves the state."""
        late = self._continuity.observe(rows, self._directory, self._tolerances)
        unscored = late | self._directory.sensor_sensitive[rows.sensor]
        if unscored.any():
            timely = np.flatnonzero(~unscored)
            rows.score[timely], rows.is_anomaly[timely] = self._detector.observe(
                rows.sensor[timely], rows.measured_us[timely], rows.value[timely]
            )
        else:
            rows.score, rows.is_anomaly = self._detector.observe(
                rows.sensor, rows.measured_us, rows.value
            )
        return self._rulebook.evaluate(rows.sensor, rows.measured_us, rows.value, late)

    async def checkpoint(self, pool: Pool) -> None:
        """Write the detector's state down now."""
        if self._sound and self._received_us >= self._newest_us > 0:
            await self._saver.save_now(pool, self._received_us)
