"""The cells of a matrix: which runs it is made of, each composed and checked before the first."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetstorm.config.compose import Composed, Composer
from fleetstorm.config.matrix import MatrixSettings
from fleetstorm.errors import UsageError

_LABEL_JOIN = ","


@dataclass(frozen=True)
class Plan:
    """One run of a matrix before it is composed.

    values: of the axes of its grid · label: those in a few words · words: what is set for it, as
    overrides.
    """

    number: int
    grid: str
    values: Mapping[str, Any]
    label: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Cell(Plan):
    """One run of a matrix, composed and checked."""

    composed: Composed


def expand(compose: Composer, overrides: Sequence[str]) -> list[Cell]:
    """Every cell of the matrix that the overrides choose, in order; raises UsageError."""
    config = compose.compose(overrides).config
    assert config.matrix is not None
    _check_stack(config.platform.keep, config.platform.url)
    return [
        Cell(**vars(one), composed=_compose(compose, one, overrides))
        for one in plan(config.matrix, overrides)
    ]


def plan(matrix: MatrixSettings, overrides: Sequence[str]) -> list[Plan]:
    """Every combination of every grid, in order.

    What the user writes wins: a key of an axis fixes that axis, a key that `matrix.cells` sets
    stays as written.
    """
    written = {override.partition("=")[0].strip().lstrip("+~"): override for override in overrides}
    combined = enumerate(_combinations(matrix, written))
    return [_plan(matrix, number, grid, values, written) for number, (grid, values) in combined]


def word(key: str, value: Any) -> str:
    """A key and its value as an override of the command line."""
    return f"{key}={value if isinstance(value, str) else _plain(value)}"


def _combinations(
    matrix: MatrixSettings, written: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, grid in matrix.grids.items():
        free = {key: values for key, values in grid.items() if key not in written}
        fixed = {key: written[key].partition("=")[2] for key in grid if key in written}
        for combination in itertools.product(*free.values()):
            values = dict(zip(free, combination, strict=True)) | fixed
            yield name, {key: values[key] for key in grid}


def _plan(
    matrix: MatrixSettings,
    number: int,
    grid: str,
    values: Mapping[str, Any],
    written: Mapping[str, str],
) -> Plan:
    chosen = dict(values)
    for cell in matrix.cells:
        if cell.fits(values):
            chosen |= cell.set
    words = tuple(word(key, value) for key, value in chosen.items() if key not in written)
    label = _LABEL_JOIN.join(word(key.rpartition(".")[2], one) for key, one in values.items())
    return Plan(number, grid, values, label, words)


def _compose(compose: Composer, one: Plan, overrides: Sequence[str]) -> Composed:
    try:
        return compose.compose([*one.words, *overrides, "matrix=null"])
    except UsageError as error:
        raise UsageError(f"matrix.grids.{one.grid}, cell {one.label}: {error}") from error


def _check_stack(keep: bool, url: str | None) -> None:
    if url is not None:
        raise UsageError(
            "platform.url: each cell of a matrix starts a platform of its own; leave it null"
        )
    if keep:
        raise UsageError(
            "platform.keep: the databases of a matrix are dropped one by one; run the cell that"
            " you want to look at by itself, with the config.yaml in its folder"
        )


def _plain(value: Any) -> str:
    """A value in Hydra's grammar, in which texts inside lists and mappings are quoted."""
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_plain(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_plain, value)) + "]"
    if isinstance(value, str):
        quoted = value.replace("'", "\\'")
        return f"'{quoted}'"
    return str(value)
