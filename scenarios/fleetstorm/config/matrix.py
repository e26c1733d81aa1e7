"""The key `matrix`: several runs in one, their grids and what is shown of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from fleetconf.place import nearest, show
from fleetstorm.config.rules import Problem
from fleetstorm.errors import UsageError
from fleetstorm.results.registry import find

CELLS_MAX = 1_000

Grid = Mapping[str, tuple[Any, ...]]
"""Keys as the command line has them (layout, platform.layout.indexes), and the values of each."""


class CellSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is set in the cells that have all of these values; a later entry wins over an earlier.

    `where` and `set` have keys as the command line has them.
    """

    where: dict[str, Any]
    set: dict[str, Any]

    def fits(self, values: Mapping[str, Any]) -> bool:
        """Whether a cell with these values is meant."""
        return all(key in values and values[key] == wanted for key, wanted in self.where.items())


class MatrixSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run for every combination of values of each grid, one after the other.

    table: heading of a column → the metric in it, or several, shown as a / b.
    """

    grids: dict[str, dict[str, tuple[Any, ...]]]
    cells: tuple[CellSettings, ...] = ()
    table: dict[str, str | tuple[str, ...]] = {}

    @property
    def axes(self) -> tuple[str, ...]:
        """The keys that differ between cells, in order."""
        return tuple(dict.fromkeys(key for grid in self.grids.values() for key in grid))

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The table's columns, each with its metrics."""
        return {
            heading: (shown,) if isinstance(shown, str) else shown
            for heading, shown in self.table.items()
        }


def check_matrix(matrix: MatrixSettings | None) -> Iterator[Problem]:
    """What is wrong with a matrix before its cells are looked at."""
    if matrix is None:
        return
    yield from _grids(matrix)
    for index, cell in enumerate(matrix.cells):
        yield from _overrides(matrix, cell, f"matrix.cells[{index}]")
    for heading, names in matrix.columns.items():
        for name in names:
            try:
                find(name)
            except UsageError as error:
                yield f"matrix.table.{heading}", str(error)


def _grids(matrix: MatrixSettings) -> Iterator[Problem]:
    if not matrix.grids:
        yield "matrix.grids", "there is none, so there is nothing to run; give it {name: {key: []}}"
    cells = 0
    for name, grid in matrix.grids.items():
        count = 1
        for key, values in grid.items():
            count *= len(values)
            if not values:
                yield f"matrix.grids.{name}.{key}", "it has no values, so the grid has no cells"
            if len({show(value) for value in values}) < len(values):
                yield f"matrix.grids.{name}.{key}", "a value stands there twice; leave one out"
        if not grid:
            yield f"matrix.grids.{name}", "it has no keys; give it one such as layout: [daily]"
        cells += count
    if cells > CELLS_MAX:
        yield "matrix.grids", f"these are {cells:,} runs; at most {CELLS_MAX:,} are made in one"


def _overrides(matrix: MatrixSettings, cell: CellSettings, path: str) -> Iterator[Problem]:
    """Settings that would fit no cell are a mistake."""
    for key, wanted in cell.where.items():
        values = [value for grid in matrix.grids.values() for value in grid.get(key, ())]
        if not values:
            near = nearest(key, matrix.axes)
            hint = f"did you mean {near}? there" if near else "there"
            yield f"{path}.where.{key}", f"no grid has this key; {hint} are {_list(matrix.axes)}"
        elif wanted not in values:
            yield f"{path}.where.{key}", f"no cell has {show(wanted)}; there are {_list(values)}"


def _list(values: Any) -> str:
    return ", ".join(dict.fromkeys(str(value) for value in values))
