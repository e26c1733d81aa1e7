"""`run` of a scenario that is a matrix: its cells one after the other, and their table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleetstorm.cli.printing import console, say
from fleetstorm.config.compose import Composed
from fleetstorm.progress import View
from fleetstorm.results.folder import REPORT
from fleetstorm.results.matrix import MATRIX, Matrix
from fleetstorm.studies.matrix.cells import Cell

_COLOURS = {"pass": "green", "fail": "red", "error": "red"}
_GAP = 2


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
    named = [f"{word}\n{unit}" for word, unit in headings(matrix)]
    _print_table(named, rows(matrix), len(matrix.axes) + 2)
    say(f"\nresults  {folder / MATRIX}")
    if (folder / REPORT).exists():
        say(f"report   {folder / REPORT}")


def _print_table(named: list[str], body: list[list[str]], words: int) -> None:
    """All columns side by side, or on a terminal as many as fit, then the others below.

    The first `words` columns say which run a row is, and stand before each part.
    """
    out = console()
    width = [
        max(len(line) for cell in cells for line in cell.splitlines() or [""]) + _GAP
        for cells in zip(named, *body, strict=True)
    ]
    room = out.width - sum(width[:words]) if out.is_terminal else sum(width)
    for part in _parts(width, words, room):
        columns = [*range(words), *part]
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        for number in columns:
            left = 0 < number < words
            table.add_column(
                Text(named[number]), justify="left" if left else "right", no_wrap=True
            )
        for row in body:
            table.add_row(*(Text(row[number]) for number in columns))
        Console(highlight=False, width=sum(width[number] for number in columns)).print(table)


def _parts(width: Sequence[int], words: int, room: int) -> list[list[int]]:
    """The columns after the first `words`, in parts that fit into `room`; one at least in each."""
    parts: list[list[int]] = [[]]
    for number in range(words, len(width)):
        if parts[-1] and sum(width[one] for one in [*parts[-1], number]) > room:
            parts.append([])
        parts[-1].append(number)
    return parts


def _folder(composed: Composed, results: Path) -> Path:
    """The folder that the cells' folders lie in: `out`, or one named after the time."""
    if composed.config.out:
        return Path(composed.config.out)
    now = datetime.now().astimezone()
    name = f"{now:%H%M%S}-matrix-{os.getpid()}"
    return results / f"{now:%Y-%m-%d}" / composed.config.name / name
