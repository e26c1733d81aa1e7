"""Jobs that calibrate stored readings again: asked for by people, done in pieces by the worker.

Life: waiting → running → settling → done, or failed after FAILURES_MAX pieces in a row that the
database refused. A piece and the note of how far the job is commit together, so a job goes on
where the last committed piece ended, whoever was killed. Readings that were calibrated before a
new calibration was known, but committed after the first pass had gone by, are found by the
second one: it begins when no such batch can be on its way any more.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from fleetplatform.database.pool import Connection, Pool
from fleetplatform.database.queries import load
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import ConflictError, InvalidError, NotFoundError
from fleetplatform.registry import sensors
from fleetplatform.registry.fields import instant
from fleetplatform.timeseries.instants import to_us
from fleetplatform.timeseries.recalibration import recalibrate
from fleetplatform.wire.resources.calibrations import Interval, Reprocessing

FAILURES_MAX = 10
JOBS_MAX = 1_000
"""Of one organization, waiting or at work."""

_MICROSECOND = timedelta(microseconds=1)
_log = structlog.get_logger()
_queries: Any = load(__file__)


async def ask(pool: Pool, tenant: Tenant, sensor: UUID, interval: Interval) -> Reprocessing:
    """A job for one of the organization's own sensors.

    Raises InvalidError (invalid_interval), NotFoundError, and ConflictError (too_many_jobs).
    """
    try:
        measured = instant("from_us", interval.from_us), instant("to_us", interval.to_us)
    except InvalidError as error:
        raise InvalidError(str(error), code="invalid_interval") from None
    if measured[0] >= measured[1]:
        raise InvalidError("to_us must be later than from_us", code="invalid_interval")
    async with transaction(pool, tenant) as conn:
        row = await _queries.add_reprocessing(
            conn,
            organization_id=tenant.organization,
            sensor_id=sensor,
            measured_from=measured[0],
            measured_to=measured[1],
        )
        waiting = await _queries.count_reprocessing(conn, organization_id=tenant.organization)
        if waiting > JOBS_MAX:
            raise ConflictError(
                f"{JOBS_MAX} jobs of the organization wait: ask again when some are done",
                code="too_many_jobs",
            )
    if row is None:
        raise sensors.no_sensor()
    return _view(row)


async def read(pool: Pool, tenant: Tenant, job: UUID) -> Reprocessing:
    """How far a job is; raises NotFoundError for one that is not seen."""
    async with transaction(pool, tenant) as conn:
        row = await _queries.read_reprocessing(conn, job_id=job)
    if row is None:
        raise NotFoundError("the organization has no such job")
    return _view(row)


async def advance(pool: Pool, rows_max: int, settle_s: float) -> bool:
    """Do one piece of the job whose turn it is, in one transaction; whether there was one.

    rows_max: readings in a piece · settle_s: how long after a job was asked for a batch may still
    commit that knew nothing of what was entered before. What the database refuses is noted with
    the job, which is tried again at its next turn.
    """
    job = None
    try:
        async with pool.acquire() as conn, conn.transaction():
            job = await _queries.take_reprocessing(conn)
            if job is None:
                return False
            await _advance(conn, job, rows_max, settle_s)
    except asyncpg.PostgresError as error:
        if job is None:
            raise
        _log.warning("reprocessing failed", job_id=str(job["job_id"]), error=repr(error))
        async with pool.acquire() as conn:
            await _queries.fail_reprocessing(
                conn,
                organization_id=job["organization_id"],
                job_id=job["job_id"],
                failures_max=FAILURES_MAX,
            )
        # What failed may fail again at once: the next turn is the worker's next.
        return False
    return True


async def _advance(conn: Connection, job: Any, rows_max: int, settle_s: float) -> None:
    piece = await recalibrate(
        conn,
        job["organization_id"],
        job["sensor_id"],
        after=job["done_through"] or job["measured_from"] - _MICROSECOND,
        before=job["measured_to"],
        rows_max=rows_max,
    )
    await _queries.advance_reprocessing(
        conn,
        organization_id=job["organization_id"],
        job_id=job["job_id"],
        done_through=piece.done_through,
        seen=piece.rows_seen,
        changed=piece.rows_changed,
        ended=piece.rows_seen < rows_max,
        settle=timedelta(seconds=settle_s),
    )


def _view(row: Any) -> Reprocessing:
    return Reprocessing(
        job_id=row["job_id"],
        organization_id=row["organization_id"],
        sensor_id=row["sensor_id"],
        from_us=to_us(row["measured_from"]),
        to_us=to_us(row["measured_to"]),
        state=row["job_state"],
        rows_done=row["rows_done"],
        rows_changed=row["rows_changed"],
        actor=row["actor"],
        created_at_us=to_us(row["created_at"]),
        finished_at_us=None if row["finished_at"] is None else to_us(row["finished_at"]),
    )
