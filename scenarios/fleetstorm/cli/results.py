"""`report`: pages from results folders alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fleetstorm.cli.printing import say
from fleetstorm.errors import UsageError


def write_reports(runs: Sequence[Path]) -> int:
    """Write report.html into each folder again; all are looked at before the first is written."""
    if not runs:
        raise UsageError("report needs a results folder, such as results/2026-06-01/smoke/1200-ab")
    from fleetstorm.report import matrix, page
    from fleetstorm.results import load
    from fleetstorm.results.matrix import MATRIX, read_matrix

    several = {folder for folder in runs if (folder / MATRIX).exists()}
    for folder in runs:
        read_matrix(folder) if folder in several else load(folder)
    for folder in runs:
        say(str((matrix if folder in several else page).write(folder)))
    return 0
