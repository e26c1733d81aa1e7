"""The table of a matrix: its rows, its verdict, its file and its page."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import jsonschema
import msgspec
import pytest

from fleetconf.convert import convert
from fleetstorm.config.compose import Composed, composer
from fleetstorm.config.matrix import MatrixSettings
from fleetstorm.errors import UsageError
from fleetstorm.report.matrix import headings, render, rows
from fleetstorm.results.matrix import (
    Matrix,
    encode_json_schema,
    read_matrix,
    schema_path,
    write_matrix,
)
from fleetstorm.results.storage import Ingest, Queries, QueryTimes, Storage
from fleetstorm.results.summary import Summary, Verdict
from fleetstorm.studies.matrix.account import Account
from fleetstorm.studies.matrix.cells import Cell, plan

TREE = {
    "grids": {"a": {"layout": ["<b>", "single"]}, "b": {"engine": ["row"]}},
    "table": {
        "ingest/s": "storage.ingest.stored_per_s",
        "last": [
            "storage.queries.latency_ms.last_value.p50",
            "storage.queries.latency_ms.last_value.p99",
        ],
        "roll": "storage.partition_roll.make_ms",
    },
}  # fmt: skip
MakeMatrix = Callable[..., Matrix]


@pytest.fixture(scope="module")
def composed() -> Composed:
    with composer() as compose:
        return compose.compose(["scenario=steady"])


@pytest.fixture
def account(composed: Composed) -> Account:
    return Account(composed.config, convert(TREE, MatrixSettings), 3)


@pytest.fixture
def cells(composed: Composed) -> list[Cell]:
    planned = plan(convert(TREE, MatrixSettings), [])
    return [Cell(**vars(one), composed=composed) for one in planned]


def _measured(summary: Summary, verdict: Verdict, per_s: float) -> Summary:
    times = {"last_value": QueryTimes(p50=0.512, p99=4.25)}
    storage = Storage(
        ingest=Ingest(stored_per_s=per_s, saturated=True),
        queries=Queries(rows=2_000, calls=5, latency_ms=times),
    )
    return msgspec.structs.replace(
        summary, storage=storage, verdict=verdict, reason="It is <i>so</i>."
    )


def test_what_a_cell_did_not_measure_is_null_and_shown_as_a_dash(
    account: Account, cells: list[Cell], summary: Summary
) -> None:
    account.add(cells[0], "0-a", _measured(summary, "pass", 187_547.3), 60.0)
    account.add(cells[2], "2-b", msgspec.structs.replace(summary, verdict="pass"), 61.0)
    matrix = account.matrix()
    assert [cell.metrics["storage.partition_roll.make_ms"] for cell in matrix.cells] == [None, None]
    assert set(matrix.cells[1].metrics.values()) == {None}
    assert rows(matrix) == [
        ["1", "<b>", "—", "pass", "187,547", "0.512 / 4.25", "—"],
        ["3", "—", "row", "pass", "—", "—", "—"],
    ]
    assert headings(matrix)[3:] == [
        ("verdict", ""), ("ingest/s", "readings/s"), ("last", "p50 / p99 ms"), ("roll", "ms"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "expected", "said"),
    [
        (["pass", "pass", "pass"], ("pass", 0), "All 3 cells passed."),
        (["pass", "void", "fail"], ("fail", 1), "1 of 3 cells passed; not layout=single (void)"),
        (["pass", "interrupted"], ("interrupted", 130), "interrupted after 2 of 3 cells; 1 passed"),
    ],
)
def test_a_matrix_is_as_good_as_its_worst_cell(
    account: Account,
    cells: list[Cell],
    summary: Summary,
    verdicts: list[Verdict],
    expected: tuple[str, int],
    said: str,
) -> None:
    for cell, verdict in zip(cells, verdicts, strict=False):
        account.add(cell, cell.label, _measured(summary, verdict, 1.0), 1.0)
    matrix = account.matrix()
    assert (matrix.verdict, matrix.exit_code) == expected
    assert said in matrix.reason


def test_a_cell_that_failed_has_its_error_and_no_figures(
    account: Account, cells: list[Cell], summary: Summary
) -> None:
    account.add_failure(cells[0], "0-a", 5, "PostgreSQL is gone.", 3.0)
    account.add(cells[1], "1-a", _measured(summary, "pass", 5.0), 1.0)
    matrix = account.matrix()
    assert (matrix.verdict, matrix.exit_code) == ("error", 5)
    assert matrix.cells[0].reason == "PostgreSQL is gone."
    assert set(matrix.cells[0].metrics.values()) == {None}


def test_a_matrix_that_was_cut_short_before_a_cell_is_interrupted(account: Account) -> None:
    matrix = account.matrix(interrupted=True)
    assert (matrix.verdict, matrix.exit_code, matrix.cells) == ("interrupted", 130, ())
    assert "The matrix was interrupted after 0 of 3 cells" in render(matrix)


def test_the_file_is_what_its_schema_says_and_comes_back(
    account: Account, cells: list[Cell], summary: Summary, tmp_path: Path
) -> None:
    account.add(cells[0], "0-a", _measured(summary, "pass", 1.5), 60.0)
    matrix = account.matrix()
    write_matrix(tmp_path, matrix)
    written = json.loads((tmp_path / "matrix.json").read_text())
    jsonschema.validate(written, json.loads(schema_path().read_text()))
    assert read_matrix(tmp_path) == matrix


def test_the_shipped_schema_is_that_of_the_types() -> None:
    """After a change of the types: write `encode_json_schema()` to matrix.schema.json."""
    assert schema_path().read_bytes() == encode_json_schema()


def test_a_folder_without_a_matrix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no matrix\.json"):
        read_matrix(tmp_path)
    (tmp_path / "matrix.json").write_text("{}")
    with pytest.raises(UsageError, match=r"is no fleetstorm\.matrix/1"):
        read_matrix(tmp_path)


def test_the_page_opens_offline_and_shows_text_as_text(
    account: Account, cells: list[Cell], summary: Summary
) -> None:
    account.add(cells[0], "0-a", _measured(summary, "fail", 40_000.0), 60.0)
    account.add(cells[1], "1-a", _measured(summary, "pass", 50_000.0), 60.0)
    page = render(account.matrix())
    assert re.findall(r"""(?:src|href)=(?!"#)\S+|@import|url\(""", page) == []
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert page.count("<svg") == 2
    assert "most 50,000 (2 layout=single)" in page
