"""report.html of a matrix: its table, and a chart for each column."""

from collections.abc import Iterator
from pathlib import Path

from fleetstorm.report import charts, words
from fleetstorm.report.blocks import Block, Chart, Section, Table
from fleetstorm.report.page import HEADLINES, environment, write_page
from fleetstorm.results.matrix import CellOfTable, Column, Matrix, read_matrix

_WRONG = ("fail", "error")


def write(folder: Path) -> Path:
    """Write report.html from a folder's matrix.json alone; gives its path.

    Raises UsageError for a folder without one, InfrastructureError if it can't be written.
    """
    return write_page(folder, render(read_matrix(folder)))


def render(matrix: Matrix) -> str:
    """The page as HTML."""
    template = environment().get_template("matrix.html.j2")
    return template.render(
        matrix=matrix, headline=HEADLINES[matrix.verdict], sections=list(_sections(matrix))
    )


def rows(matrix: Matrix) -> list[list[str]]:
    """The table as text: number, values of the axes, verdict, then the columns."""
    return [
        [
            str(cell.number + 1),
            *(_axis(cell.values.get(axis)) for axis in matrix.axes),
            cell.verdict,
            *(shown(cell, column) for column in matrix.columns),
        ]
        for cell in matrix.cells
    ]


def headings(matrix: Matrix) -> list[tuple[str, str]]:
    """What stands above `rows`: a word, and the unit, with what is told apart by a slash."""
    axes = [(axis.rpartition(".")[2], "") for axis in matrix.axes]
    return [("", ""), *axes, ("verdict", ""), *(_headed(matrix, one) for one in matrix.columns)]


def shown(cell: CellOfTable, column: Column) -> str:
    """The metrics of a column as people read them, a / b where there are several."""
    measured = [cell.metrics.get(name) for name in column.metrics]
    if all(value is None for value in measured):
        return words.NOTHING
    return " / ".join(_number(value) for value in measured)


def _sections(matrix: Matrix) -> Iterator[tuple[str, Section]]:
    if matrix.cells:
        yield "table", Section("Table", matrix.description, [_table(matrix)])
        charted = (_chart(matrix, column) for column in matrix.columns)
        drawn: list[Block] = [chart for chart in charted if chart is not None]
        if drawn:
            lead = "A bar for each run that measured it; of several figures the first."
            yield "charts", Section("Charts", lead, drawn)
    yield "metrics", Section("What the columns are", "As `fleetstorm list metrics` has them.", [
        Table("Metrics", ("Column", "Metric", "Unit", "What it is"), _described(matrix),
              left=frozenset({1, 2, 3})),
    ])  # fmt: skip


def _table(matrix: Matrix) -> Table:
    return Table(
        f"{len(matrix.cells)} of {matrix.planned} runs",
        [f"{word} ({unit})" if unit else word for word, unit in headings(matrix)],
        rows(matrix),
        wrong=frozenset(i for i, cell in enumerate(matrix.cells) if cell.verdict in _WRONG),
        left=frozenset(range(1, len(matrix.axes) + 2)),
    )


def _chart(matrix: Matrix, column: Column) -> Chart | None:
    first = column.metrics[0]
    named = {
        f"{cell.number + 1} {cell.label}": float(value)
        for cell in matrix.cells
        if isinstance(value := cell.metrics.get(first), int | float) and not isinstance(value, bool)
    }
    if not named:
        return None
    metric = next(metric for metric in matrix.metrics if metric.name == first)
    least, most = min(named, key=named.__getitem__), max(named, key=named.__getitem__)
    says = (
        f"{metric.description} Least {_number(named[least])} ({least}),"
        f" most {_number(named[most])} ({most})."
    )
    return charts.bars(column.heading, says, metric.unit, named)


def _described(matrix: Matrix) -> list[tuple[str, ...]]:
    metrics = {metric.name: metric for metric in matrix.metrics}
    return [
        (column.heading, name, metrics[name].unit, metrics[name].description)
        for column in matrix.columns
        for name in column.metrics
    ]


def _headed(matrix: Matrix, column: Column) -> tuple[str, str]:
    units = {metric.name: metric.unit for metric in matrix.metrics}
    unit = units[column.metrics[0]]
    names = [name.rpartition(".")[2] for name in column.metrics]
    return column.heading, f"{' / '.join(names)} {unit}" if len(names) > 1 else unit


def _axis(value: object) -> str:
    return words.NOTHING if value is None else str(value)


def _number(value: float | bool | str | None) -> str:
    if value is None:
        return words.NOTHING
    if isinstance(value, bool | str):
        return words.value(value)
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.3g}"
