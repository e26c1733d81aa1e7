"""What came of a matrix: one row a cell, and the worst of their verdicts."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from datetime import UTC, datetime

from fleetstorm.config.matrix import MatrixSettings
from fleetstorm.config.settings import RunConfig
from fleetstorm.results.matrix import CellOfTable, Column, Matrix, MetricOfTable, Value
from fleetstorm.results.registry import find, value_of
from fleetstorm.results.summary import Machine, Summary, Verdict
from fleetstorm.studies.matrix.cells import Cell
from fleetstorm.verdict import EXIT_CODES, exit_code, worst

_DEFAULT_TABLE = {
    "stored/s": ("load.stored_per_s",),
    "response ms": ("latency_ms.response.p50", "latency_ms.response.p99"),
    "bytes": ("resources.bytes_per_reading",),
}
"""What is shown of a matrix that names no table."""


class Account:
    """The table of a matrix as it grows: `add` a row for each run, `matrix` as it stands."""

    def __init__(self, config: RunConfig, settings: MatrixSettings, planned: int) -> None:
        self._config = config
        self._settings = settings
        self._planned = planned
        self._columns = settings.columns or _DEFAULT_TABLE
        self._names = tuple(dict.fromkeys(n for names in self._columns.values() for n in names))
        self._began = datetime.now(UTC)
        self._rows: list[CellOfTable] = []
        self._machine: Machine | None = None

    def add(self, cell: Cell, folder: str, summary: Summary, wall_s: float) -> None:
        """A run that came to a verdict."""
        if summary.machine.postgres is not None or self._machine is None:
            self._machine = summary.machine
        self._append(cell, folder, summary.verdict, exit_code(summary.verdict), wall_s,
                     summary.reason, self._values(summary))  # fmt: skip

    def add_failure(
        self,
        cell: Cell,
        folder: str,
        code: int,
        reason: str,
        wall_s: float,
        summary: Summary | None = None,
    ) -> None:
        """A run that ended with an error; `summary` is what it had measured by then."""
        self._append(cell, folder, "error", code, wall_s, reason, self._values(summary))

    def matrix(self, *, interrupted: bool = False) -> Matrix:
        """The table as it stands."""
        codes = [row.exit_code for row in self._rows]
        code = worst([*codes, EXIT_CODES["interrupted"]] if interrupted else codes)
        return Matrix(
            scenario=self._config.name,
            description=self._config.description,
            started_at=self._began.isoformat(timespec="milliseconds"),
            version=importlib.metadata.version("fleetstorm"),
            wall_s=round((datetime.now(UTC) - self._began).total_seconds(), 3),
            planned=self._planned,
            axes=self._settings.axes,
            metrics=tuple(_described(name) for name in self._names),
            columns=tuple(Column(heading=h, metrics=m) for h, m in self._columns.items()),
            cells=tuple(self._rows),
            verdict=_verdict_of(code),
            exit_code=code,
            reason=_reason(self._rows, self._planned, interrupted=interrupted),
            machine=self._machine,
        )

    def _values(self, summary: Summary | None) -> dict[str, Value]:
        return {name: value_of(summary, name) if summary else None for name in self._names}

    def _append(
        self, cell: Cell, folder: str, verdict: Verdict, code: int, wall_s: float, reason: str,
        metrics: dict[str, Value],
    ) -> None:  # fmt: skip
        self._rows.append(
            CellOfTable(
                number=cell.number,
                grid=cell.grid,
                values=dict(cell.values),
                label=cell.label,
                folder=folder,
                verdict=verdict,
                exit_code=code,
                reason=reason,
                wall_s=round(wall_s, 3),
                metrics=metrics,
            )
        )


def _described(name: str) -> MetricOfTable:
    metric = find(name)
    return MetricOfTable(
        name=name, unit=metric.unit, better=metric.better, description=metric.description
    )


def _verdict_of(code: int) -> Verdict:
    return next((verdict for verdict, known in EXIT_CODES.items() if known == code), "error")


def _reason(rows: Sequence[CellOfTable], planned: int, *, interrupted: bool) -> str:
    passed = sum(row.verdict == "pass" for row in rows)
    said = f"{passed} of {planned} cells passed"
    if interrupted or any(row.verdict == "interrupted" for row in rows):
        return f"The matrix was interrupted after {len(rows)} of {planned} cells; {passed} passed."
    failed = [f"{row.label} ({row.verdict})" for row in rows if row.verdict != "pass"]
    shown = ", ".join(failed[:5]) + (f" and {len(failed) - 5} more" if len(failed) > 5 else "")
    return f"{said}; not {shown}." if failed else f"All {planned} cells passed."
