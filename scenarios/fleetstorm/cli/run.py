"""`run`: one run, or every run of a sweep."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fleetstorm.cli.matrix import run_matrix
from fleetstorm.cli.printing import print_summary, say
from fleetstorm.config.compose import Composed, composer
from fleetstorm.errors import FleetstormError, Interrupted, UsageError
from fleetstorm.progress import View
from fleetstorm.results.folder import folder_name
from fleetstorm.results.summary import Summary
from fleetstorm.studies.matrix.cells import expand
from fleetstorm.verdict import exit_code, worst

RESULTS = Path("results")


def print_config(
    overrides: Sequence[str], config_dir: Path | None, *, multirun: bool = False
) -> int:
    """The composed YAML of a run, or of each run of a sweep, as config.yaml in its results has it.

    Given again it makes the same run; passwords and the operator's token are left out.
    """
    from fleetstorm.run.account import without_secrets

    with composer(config_dir) as compose:
        if not multirun:
            sys.stdout.write(without_secrets(compose.compose(overrides).yaml))
            return 0
        runs = compose.sweep(overrides)
    for label, composed in runs:
        said = without_secrets(f"# {label or composed.config.name}\n{composed.yaml}")
        sys.stdout.write(f"---\n{said}")
    return 0


def run_one(overrides: Sequence[str], config_dir: Path | None) -> int:
    """One run to its verdict, or every run of a matrix; gives the exit code."""
    with composer(config_dir) as compose:
        composed = compose.compose(overrides)
        cells = expand(compose, overrides) if composed.config.matrix is not None else None
    if cells is not None:
        return run_matrix(composed, cells, RESULTS)
    out = composed.config.out
    summary = _run(composed, Path(out) if out else None)
    return exit_code(summary.verdict)


def run_sweep(overrides: Sequence[str], config_dir: Path | None) -> int:
    """Every run of a sweep, one after the other; gives the worst exit code.

    A run that fails does not keep the others from running; Ctrl-C does.
    """
    with composer(config_dir) as compose:
        runs = compose.sweep(overrides)
    if any(composed.config.matrix is not None for _, composed in runs):
        raise UsageError(
            "this scenario is a matrix already: run it without --multirun, and write further"
            " values into matrix.grids"
        )
    codes: list[int] = []
    base = _base(runs[0][1])
    for number, (label, composed) in enumerate(runs):
        say(f"\n{number + 1} of {len(runs)}: {label or composed.config.name}")
        try:
            summary = _run(composed, base / folder_name(number, label, composed.config.name))
            codes.append(exit_code(summary.verdict))
        except Interrupted:
            raise
        except FleetstormError as error:
            print(f"fleetstorm: {error}", file=sys.stderr)  # noqa: T201
            codes.append(error.exit_code)
        if codes[-1] == Interrupted.exit_code:
            break
    return worst(codes)


def _run(composed: Composed, out: Path | None) -> Summary:
    from fleetstorm.run.run import run
    from fleetstorm.run.signals import run_interruptible

    with View() as view:
        stopping = "Stopping: what was measured so far is written, then everything is ended."
        summary, folder = run_interruptible(
            run(composed, out, RESULTS, view), lambda: view.say(stopping)
        )
    print_summary(summary, folder)
    return summary


def _base(composed: Composed) -> Path:
    """The folder that a sweep's folders lie in: `out`, or one named after the time."""
    if composed.config.out:
        return Path(composed.config.out)
    now = datetime.now().astimezone()
    return RESULTS / f"{now:%Y-%m-%d}" / composed.config.name / f"{now:%H%M%S}-sweep-{os.getpid()}"
