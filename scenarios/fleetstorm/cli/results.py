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
    from fleetstorm.report.page import write
    from fleetstorm.results import load

    for folder in runs:
        load(folder)
    for folder in runs:
        say(str(write(folder)))
    return 0
