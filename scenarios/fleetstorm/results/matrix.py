"""matrix.json as types: what came of the cells of a matrix, in one table."""

import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from fleetstorm.errors import InfrastructureError, UsageError
from fleetstorm.results.part import Better, Part
from fleetstorm.results.summary import Machine, Verdict

SCHEMA: Final = "fleetstorm.matrix/1"
MATRIX = "matrix.json"

Value = float | bool | str | None


class MetricOfTable(Part, frozen=True, kw_only=True):
    """A metric of the table, as `fleetstorm list metrics` has it."""

    name: str
    unit: str
    better: Better | None
    description: str


class Column(Part, frozen=True, kw_only=True):
    """A column of the table as it is shown: several metrics stand in it as a / b."""

    heading: str
    metrics: tuple[str, ...]


class CellOfTable(Part, frozen=True, kw_only=True):
    """A row of the table: one run, whose own results lie in `folder`."""

    number: int
    grid: str
    values: Annotated[dict[str, Any], Meta(description="Of the axes that this grid has.")]
    label: str
    folder: Annotated[str, Meta(description="Beside matrix.json.")]
    verdict: Verdict
    exit_code: int
    reason: str
    wall_s: float
    metrics: Annotated[
        dict[str, Value], Meta(description="By name; null where the run did not measure it.")
    ]


class Matrix(Part, frozen=True, kw_only=True):
    """A matrix; `cells` are those that were run, `planned` how many there are in all."""

    schema: Literal["fleetstorm.matrix/1"] = SCHEMA
    scenario: str
    description: str
    started_at: str
    version: str
    wall_s: float
    planned: int
    axes: tuple[str, ...]
    metrics: tuple[MetricOfTable, ...]
    columns: tuple[Column, ...]
    cells: tuple[CellOfTable, ...]
    verdict: Annotated[Verdict, Meta(description="The worst of the cells.")]
    exit_code: int
    reason: str
    machine: Machine | None = None


def write_matrix(folder: Path, matrix: Matrix) -> None:
    """Write matrix.json, whole or not at all; raises InfrastructureError."""
    path = folder / MATRIX
    aside = path.with_name(f".{MATRIX}.part")
    try:
        aside.write_bytes(msgspec.json.format(msgspec.json.encode(matrix), indent=2) + b"\n")
        os.replace(aside, path)
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be written: {error.strerror or error}") from error


def read_matrix(folder: Path) -> Matrix:
    """The matrix in a folder; UsageError if there is none, or of another schema."""
    path = folder / MATRIX
    try:
        return msgspec.json.decode(path.read_bytes(), type=Matrix)
    except OSError:
        raise UsageError(f"{folder} is no folder of a matrix: it has no {MATRIX}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no {SCHEMA}: {error}") from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of matrix.json; matrix.schema.json holds the same."""
    schema = msgspec.json.schema(Matrix)
    for definition in schema["$defs"].values():
        definition["required"] = list(definition["properties"])
        for shape in definition["properties"].values():
            shape.pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **schema}


def encode_json_schema() -> bytes:
    """The JSON Schema as the bytes of matrix.schema.json."""
    return msgspec.json.format(msgspec.json.encode(json_schema()), indent=2) + b"\n"


def schema_path() -> Path:
    """Where the shipped JSON Schema stands."""
    return Path(__file__).with_name("matrix.schema.json")
