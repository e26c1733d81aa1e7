"""`run` of a scenario that is a matrix: its cells one after the other, and their table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table

from fleetstorm.cli.printing import console, say
from fleetstorm.config.compose import Composed
from fleetstorm.progress import View
from fleetstorm.results.folder import REPORT
from fleetstorm.results.matrix import MATRIX, Matrix
from fleetstorm.studies.matrix.cells import Cell

_COLOURS = {"pass": "green", "fail": "red", "error": "red"}


def run_matrix(composed: Composed, cells: Sequence[Cell], results: Path) -> int:
    """Every cell of a matrix, one after the other; gives the worst exit code."""
    from fleetstorm.run.signals import run_interruptible
    from fleetstorm.studies.matrix.study import make

    folder = _folder(composed, results)
    stopping = "Stopping: the table so far is written, then everything is ended."
    matrix = run_interruptible(make(composed, cells, folder, View, say), lambda: say(stopping))
    print_matrix(matrix, folder)
    return matrix.exit_code


def print_matrix(matrix: Matrix, folder: Path) -> None:
    """Verdict, reason, the table, and where the rest is."""
    from fleetstorm.report.matrix import headings, rows

    out = console()
    colour = _COLOURS.get(matrix.verdict, "yellow")
    out.print(f"\n[bold {colour}]{matrix.verdict.upper()}[/]", end="  ")
    say(f"{matrix.reason}\n")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    words_until = len(matrix.axes) + 2
    for number, heading in enumerate(headings(matrix)):
        table.add_column(heading, justify="left" if 0 < number < words_until else "right")
    for row in rows(matrix):
        table.add_row(*row)
    out.print(table)
    say(f"\nresults  {folder / MATRIX}")
    if (folder / REPORT).exists():
        say(f"report   {folder / REPORT}")


def _folder(composed: Composed, results: Path) -> Path:
    """The folder that the cells' folders lie in: `out`, or one named after the time."""
    if composed.config.out:
        return Path(composed.config.out)
    now = datetime.now().astimezone()
    name = f"{now:%H%M%S}-matrix-{os.getpid()}"
    return results / f"{now:%Y-%m-%d}" / composed.config.name / name
