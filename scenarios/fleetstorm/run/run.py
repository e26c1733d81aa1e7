"""A run on one page: start, prepare, storm, drain, verify, judge, record, report, stop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from pathlib import Path

from fleetplatform.client import ApiError
from fleetsim.errors import FleetError, PlanError
from fleetstorm.config.compose import Composed
from fleetstorm.errors import FleetstormError, InfrastructureError, UsageError
from fleetstorm.progress import View
from fleetstorm.results.folder import Folder
from fleetstorm.results.summary import Summary
from fleetstorm.run.account import without_secrets
from fleetstorm.run.storm import Storm
from fleetstorm.stack.stack import Stack

_UNPROCESSABLE = (400, 404, 409, 413, 422)


async def run(composed: Composed, out: Path | None, root: Path, view: View) -> tuple[Summary, Path]:
    """Run to the verdict; gives the summary and the folder that it was written to.

    A cancelled run writes what it has; so does one that fails, and raises its error: UsageError,
    InfrastructureError, or what nobody thought of.
    """
    run_id = secrets.token_hex(4)
    folder = Folder.create(out, root, composed.config.name, run_id)
    with contextlib.closing(folder):
        folder.write_config(without_secrets(composed.yaml))
        storm = Storm(composed, run_id, folder, view)
        error: Exception | None = None
        interrupted = False
        async with Stack(folder.logs, storm.on_part, keep=composed.config.platform.keep) as stack:
            try:
                await _play(storm, stack)
            except asyncio.CancelledError:
                interrupted = True
                _forget_cancellation()
            except Exception as failure:
                error = _as_error_of_driver(failure)
            if error or interrupted:
                await storm.salvage()
            summary = storm.judge(None if error is None else str(error), interrupted=interrupted)
            folder.write_summary(summary)
            view.phase("stop everything")
            await storm.stop()
    if error:
        raise error
    view.phase("write the report")
    await asyncio.to_thread(_write_report, folder.path)
    return summary, folder.path


async def _play(storm: Storm, stack: Stack) -> None:
    """Every stage of a run, in order."""
    await storm.start(stack)
    await storm.prepare()
    await storm.enrol()
    await storm.storm()
    await storm.drain()
    await storm.close_books()
    await storm.verify()
    await storm.check_generator()


def _write_report(folder: Path) -> None:
    from fleetstorm.report.page import write  # its charts take a while to import

    write(folder)


def _forget_cancellation() -> None:
    """The wish to stop has been heard: what is left to do must not be cancelled by it again."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


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
