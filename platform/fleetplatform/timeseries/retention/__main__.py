"""`python -m fleetplatform.timeseries.retention`: one pass, as told on standard input.

Ends when standard input does, for then the worker is gone.
"""

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import structlog

from fleetplatform.database.pool import CONNECT_TIMEOUT_S
from fleetplatform.database.queries import load
from fleetplatform.observe import configure_log
from fleetplatform.timeseries.retention.keeper import Job
from fleetplatform.timeseries.retention.steps import Limits
from fleetplatform.timeseries.retention.sweep import sweep

NICENESS = 10
_log = structlog.get_logger()
_queries: Any = load(__file__)


def main() -> int:
    """One pass; 0 also where another process is at it."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    threading.Thread(target=_end_with_worker, daemon=True).start()
    configure_log()
    os.nice(NICENESS)
    try:
        asyncio.run(_pass(job))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _log.warning("retention was cut short", error=repr(error))
        return 1
    return 0


def _end_with_worker() -> None:
    # Past Python's buffer, whose lock would be held when the interpreter ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


async def _pass(job: Job) -> None:
    settings = {"application_name": "fleetstorm retention", "timezone": "UTC"}
    conn = await asyncpg.connect(
        job.url, server_settings=settings, timeout=CONNECT_TIMEOUT_S, command_timeout=None
    )
    try:
        if not await _queries.lock_retention(conn):
            return
        archive = job.archive
        folder = None if archive.folder is None else Path(archive.folder)
        swept = await sweep(conn, Limits(folder, archive.file_rows, archive.rows_per_s))
    finally:
        await conn.close()
    if swept.partitions or swept.archived or swept.expired or swept.problems:
        _log.info(
            "retention", partitions=swept.partitions, files=swept.files,
            archived=swept.archived, expired=swept.expired, problems=len(swept.problems),
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
