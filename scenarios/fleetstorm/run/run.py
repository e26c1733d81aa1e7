"""A run on one page: start, prepare, storm, drain, verify, judge, record, report, stop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shlex
from pathlib import Path

from fleetplatform.admin import DATABASE
from fleetplatform.client import ApiError
from fleetsim.errors import FleetError, PlanError
from fleetstorm.config.compose import Composed
from fleetstorm.errors import FleetstormError, InfrastructureError, UsageError
from fleetstorm.progress import View
from fleetstorm.results.folder import Folder
from fleetstorm.results.summary import Summary
from fleetstorm.run.account import without_secrets
from fleetstorm.run.backend import check_keys, check_reachable
from fleetstorm.run.signals import forget_cancellation, to_the_end
from fleetstorm.run.storm import Storm
from fleetstorm.stack.postgres import PostgresServer
from fleetstorm.stack.stack import Stack

_UNPROCESSABLE = (400, 404, 409, 413, 422)


async def run(
    composed: Composed, out: Path | None, root: Path, view: View, below: Stack | None = None
) -> tuple[Summary, Path]:
    """Run to the verdict; gives the summary and the folder that it was written to.

    A cancelled run writes what it has; so does one that fails, and raises its error: UsageError,
    InfrastructureError, or what nobody thought of. A verdict that is written stands: whoever
    cancels after it only goes without the report. With `below`, PostgreSQL and Ray are those of
    that stack, and the run has a database of its own there, which is gone after it.
    """
    check_reachable(composed.config)
    check_keys(composed.config)
    run_id = secrets.token_hex(4)
    folder = Folder.create(out, root, composed.config.name, run_id)
    with contextlib.closing(folder):
        folder.write_config(without_secrets(composed.yaml))
        storm = Storm(composed, run_id, folder, view)
        keep = composed.config.platform.keep
        stack = Stack(folder.logs, storm.on_part, keep=keep, below=below)
        await stack.__aenter__()
        try:
            summary, error = await _judge(storm, stack)
            folder.write_summary(summary)
        finally:
            view.phase("stop everything")
            hurried = await to_the_end(_stop(storm, stack))
            if stack.keep and stack.postgres:
                view.say(_how_to_connect(stack.postgres, stack.folder))
    if error:
        raise error
    if not hurried:
        view.phase("write the report")
        await to_the_end(asyncio.to_thread(_write_report, folder.path))
    return summary, folder.path


async def _judge(storm: Storm, stack: Stack) -> tuple[Summary, Exception | None]:
    """Every stage, or those that there was time for; the summary, and the error if any."""
    error: Exception | None = None
    interrupted = False
    try:
        await _play(storm, stack)
    except asyncio.CancelledError:
        interrupted = True
        forget_cancellation()
    except Exception as failure:
        error = _as_error_of_driver(failure)
    if error or interrupted:
        await to_the_end(storm.salvage())
    said = None if error is None else str(error)
    return storm.judge(said, interrupted=interrupted), error


async def _stop(storm: Storm, stack: Stack) -> None:
    """Nothing of the run is left running."""
    try:
        await storm.stop()
    finally:
        await stack.__aexit__(None, None, None)


def _how_to_connect(server: PostgresServer, folder: Path) -> str:
    """Where a kept database is, and how it is ended and removed."""
    psql = server.psql or "psql"
    data = server.data_dir
    folders = [str(folder)] if data.is_relative_to(folder) else [str(folder), str(data)]
    pid_file = shlex.quote(str(data / "postmaster.pid"))
    return (
        f"The database stays up:  {shlex.join([str(psql), server.url(DATABASE)])}\n"
        f'To remove it:           kill -QUIT "$(head -1 {pid_file})";'
        f" {shlex.join(['rm', '-rf', *folders])}"
    )


async def _play(storm: Storm, stack: Stack) -> None:
    """Every stage of a run, in order."""
    await storm.start(stack)
    await storm.prepare()
    await storm.enrol()
    await storm.storm()
    await storm.drain()
    await storm.close_books()
    await storm.measure()
    await storm.verify()
    await storm.check_generator()


def _write_report(folder: Path) -> None:
    from fleetstorm.report.page import write  # its charts take a while to import

    write(folder)


def _as_error_of_driver(error: Exception) -> Exception:
    """What another house says went wrong, as an error with an exit code."""
    known: FleetstormError
    refused = isinstance(error, ApiError) and error.status in _UNPROCESSABLE
    if refused or isinstance(error, PlanError):
        known = UsageError(str(error))
    elif isinstance(error, ApiError | FleetError):
        known = InfrastructureError(str(error))
    else:
        return error
    known.__cause__ = error
    return known
