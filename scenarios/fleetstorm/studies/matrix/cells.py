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
class Cell:
    """One run of a matrix.

    values: of the axes of its grid · label: those in a few words · composed: the run itself.
    """

    number: int
    grid: str
    values: Mapping[str, Any]
    label: str
    composed: Composed


def expand(compose: Composer, overrides: Sequence[str]) -> list[Cell]:
    """Every cell of the matrix that the overrides choose, in order; raises UsageError.

    What the user writes wins: a key of an axis fixes that axis, a key that `matrix.cells` sets
    stays as written.
    """
    config = compose.compose(overrides).config
    assert config.matrix is not None
    _check_stack(config.platform.keep, config.platform.url)
    written = {override.partition("=")[0].strip().lstrip("+~"): override for override in overrides}
    planned = list(_planned(config.matrix, written))
    return [
        _cell(compose, overrides, config.matrix, number, grid, values, written)
        for number, (grid, values) in enumerate(planned)
    ]


def word(key: str, value: Any) -> str:
    """A key and its value as an override of the command line."""
    return f"{key}={value if isinstance(value, str) else _plain(value)}"


def _planned(
    matrix: MatrixSettings, written: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, grid in matrix.grids.items():
        free = {key: values for key, values in grid.items() if key not in written}
        fixed = {key: written[key].partition("=")[2] for key in grid if key in written}
        for combination in itertools.product(*free.values()):
            values = dict(zip(free, combination, strict=True)) | fixed
            yield name, {key: values[key] for key in grid}


def _cell(
    compose: Composer,
    overrides: Sequence[str],
    matrix: MatrixSettings,
    number: int,
    grid: str,
    values: Mapping[str, Any],
    written: Mapping[str, str],
) -> Cell:
    chosen = dict(values)
    for cell in matrix.cells:
        if cell.fits(values):
            chosen |= cell.set
    words = [word(key, value) for key, value in chosen.items() if key not in written]
    label = _LABEL_JOIN.join(word(key.rpartition(".")[2], one) for key, one in values.items())
    try:
        composed = compose.compose([*words, *overrides, "matrix=null"])
    except UsageError as error:
        raise UsageError(f"matrix.grids.{grid}, cell {label}: {error}") from error
    return Cell(number, grid, values, label, composed)


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
