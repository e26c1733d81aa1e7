"""Makes the runs of a matrix one after the other, on one PostgreSQL and one Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from fleetstorm.config.compose import Composed
from fleetstorm.errors import FleetstormError, InfrastructureError, Interrupted, UsageError
from fleetstorm.progress import View
from fleetstorm.results import load
from fleetstorm.results.folder import LOGS, folder_name
from fleetstorm.results.matrix import Matrix, write_matrix
from fleetstorm.results.summary import Summary
from fleetstorm.run.run import run
from fleetstorm.run.signals import forget_cancellation, to_the_end
from fleetstorm.stack.stack import Stack
from fleetstorm.studies.matrix.account import Account
from fleetstorm.studies.matrix.cells import Cell

Say = Callable[[str], None]


async def make(
    composed: Composed,
    cells: Sequence[Cell],
    folder: Path,
    view: Callable[[], AbstractContextManager[View]],
    say: Say,
) -> Matrix:
    """Run every cell into a folder of its own below `folder`; gives the table.

    A cell that fails does not keep the others from running. A cancelled matrix writes the table so
    far, with the verdict interrupted. matrix.json is written after every cell, report.html at the
    end. Raises UsageError for a folder that is not empty.
    """
    assert composed.config.matrix is not None
    _make_folder(folder)
    account = Account(composed.config, composed.config.matrix, len(cells))
    shared = Stack(folder / LOGS)
    await shared.__aenter__()
    interrupted = False
    try:
        await _run_all(cells, folder, shared, account, view, say)
    except asyncio.CancelledError:
        forget_cancellation()
        interrupted = True
    finally:
        await to_the_end(shared.__aexit__(None, None, None))
    matrix = account.matrix(interrupted=interrupted)
    write_matrix(folder, matrix)
    await to_the_end(asyncio.to_thread(_write_report, folder))
    return matrix


async def _run_all(
    cells: Sequence[Cell],
    folder: Path,
    shared: Stack,
    account: Account,
    view: Callable[[], AbstractContextManager[View]],
    say: Say,
) -> None:
    began = time.monotonic()
    for done, cell in enumerate(cells):
        say(_progress(done, len(cells), cell.label, time.monotonic() - began))
        code = await _run_one(cell, folder, shared, account, view, say)
        write_matrix(folder, account.matrix())
        if code == Interrupted.exit_code:
            return


async def _run_one(
    cell: Cell,
    folder: Path,
    shared: Stack,
    account: Account,
    view: Callable[[], AbstractContextManager[View]],
    say: Say,
) -> int:
    """One cell to its row of the table; gives its exit code."""
    name = folder_name(cell.number, cell.label, cell.composed.config.name)
    began = time.monotonic()
    try:
        with view() as shown:
            summary, _ = await run(cell.composed, folder / name, folder, shown, shared)
    except Exception as error:  # a cell that fails must not take the others with it
        code = error.exit_code if isinstance(error, FleetstormError) else FleetstormError.exit_code
        reason = str(error) or type(error).__name__
        took_s = time.monotonic() - began
        account.add_failure(cell, name, code, reason, took_s, _left(folder / name))
        say(f"ERROR  {reason}")
        return code
    account.add(cell, name, summary, time.monotonic() - began)
    say(f"{summary.verdict.upper()}  {summary.reason}")
    return account.matrix().cells[-1].exit_code


def _left(folder: Path) -> Summary | None:
    """What a run that failed had measured by then."""
    try:
        return load(folder).summary
    except UsageError:
        return None


def _progress(done: int, planned: int, label: str, took_s: float) -> str:
    """Which cell of how many, and how long the others will take if they take as long."""
    said = f"\n{done + 1} of {planned}: {label}"
    if not done:
        return said
    left_s = took_s / done * (planned - done)
    return f"{said} (about {max(1, round(left_s / 60))} min to go)"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"the folder {folder} is not empty; choose another with out=DIR")
        (folder / LOGS).mkdir()
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{folder} is a file, not a folder; choose another with out=DIR") from None
    except OSError as error:
        raise InfrastructureError(
            f"the results folder {folder} cannot be written: {error.strerror or error};"
            " choose another with out=DIR"
        ) from error


def _write_report(folder: Path) -> None:
    from fleetstorm.report.matrix import write  # its charts take a while to import

    write(folder)
