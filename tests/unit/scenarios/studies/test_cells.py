"""Which runs a matrix is made of, and what is no matrix."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from fleetconf.convert import convert
from fleetconf.errors import ConfigError
from fleetstorm.config.checks import check
from fleetstorm.config.compose import composer
from fleetstorm.config.matrix import MatrixSettings, check_matrix
from fleetstorm.config.settings import RunConfig
from fleetstorm.errors import UsageError
from fleetstorm.metrics.storage.settings import IngestSettings, RollSettings
from fleetstorm.studies.matrix.cells import Plan, expand, plan, word


@pytest.fixture(scope="module")
def shipped() -> RunConfig:
    """The scenario schema_compare, composed once: that takes most of a second."""
    with composer() as compose:
        return compose.compose(["scenario=schema_compare"]).config


def _plan(tree: dict[str, Any], *overrides: str) -> list[Plan]:
    return plan(convert(tree, MatrixSettings), overrides)


def _own(folder: Path, matrix: Any, **keys: Any) -> Path:
    """A folder of one's own with the scenario `mine`."""
    (folder / "scenario").mkdir()
    tree = {"name": "mine", "description": "Mine.", "matrix": matrix, **keys}
    text = "# @package _global_\n" + yaml.safe_dump(tree, sort_keys=False)
    (folder / "scenario" / "mine.yaml").write_text(text)
    return folder


def test_schema_compare_has_five_layouts_by_three_index_sets_and_three_engines(
    shipped: RunConfig,
) -> None:
    assert shipped.matrix is not None
    planned = plan(shipped.matrix, ["scenario=schema_compare"])
    layouts = {tuple(one.values.values()) for one in planned if one.grid == "layouts"}
    names = ("seed", "single", "monthly", "monthly_list", "daily")
    assert layouts == {(n, i) for n in names for i in ("minimal", "standard", "full")}
    engines = [one.values for one in planned if one.grid == "engines"]
    assert engines == [{"engine": "row"}, {"engine": "set"}, {"engine": "stream"}]
    assert [one.number for one in planned] == list(range(18))


@pytest.mark.campaign
def test_every_cell_of_schema_compare_is_valid() -> None:
    with composer() as compose:
        cells = expand(compose, ["scenario=schema_compare"])
    kinds = [cell.composed.config.platform.engine.kind for cell in cells]
    assert kinds == ["stream"] * 15 + ["row", "set", "stream"]
    stored = {cell.composed.config.platform.layout.kind for cell in cells[15:]}
    assert stored == {"monthly_list"}


def test_a_cell_is_a_whole_run_and_no_matrix(tmp_path: Path) -> None:
    """Its config.yaml, given again, makes that one run; axes may have values of any shape."""
    profile = {"kind": "ramp", "from": "5%", "over": "3s", "hold": "1s"}
    own = _own(tmp_path, {"grids": {"a": {"layout": ["daily"], "load.profile": [profile]}}})
    with composer(own) as compose:
        (cell,) = expand(compose, ["scenario=mine", "seed=7", "duration=9s"])
    config = cell.composed.config
    assert (config.matrix, config.seed, config.platform.layout.kind) == (None, 7, "daily")
    assert config.load.profile.over == 3.0
    (own / "scenario" / "again.yaml").write_text("# @package _global_\n" + cell.composed.yaml)
    with composer(own) as compose:
        assert compose.compose(["scenario=again"]).config == config


def test_a_later_entry_of_cells_wins_over_an_earlier() -> None:
    matrix = {
        "grids": {"a": {"layout": ["daily", "single"]}},
        "cells": [
            {"where": {}, "set": {"fleet.devices": 10, "load.interval": "2s"}},
            {"where": {"layout": "single"}, "set": {"fleet.devices": 20}},
        ],
    }
    assert [one.words for one in _plan(matrix)] == [
        ("layout=daily", "fleet.devices=10", "load.interval=2s"),
        ("layout=single", "fleet.devices=20", "load.interval=2s"),
    ]


def test_the_command_line_wins() -> None:
    """A key of an axis fixes that axis; a key that is set for some cells stays as written."""
    matrix = {
        "grids": {"a": {"layout": ["daily", "single"], "seed": [1, 2]}},
        "cells": [{"where": {}, "set": {"vars.level": "9k/s", "verify": False}}],
    }
    planned = _plan(matrix, "layout=monthly", "vars.level=1k/s")
    assert [one.label for one in planned] == ["layout=monthly,seed=1", "layout=monthly,seed=2"]
    assert [one.words for one in planned] == [(f"seed={n}", "verify=false") for n in (1, 2)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20k/s", "key=20k/s"),
        (3, "key=3"),
        (True, "key=true"),
        (None, "key=null"),
        ([1, "it's"], r"key=[1,'it\'s']"),
        ({"kind": "ramp", "over": [None]}, "key={kind:'ramp',over:[null]}"),
    ],
)
def test_a_value_is_written_as_on_the_command_line(value: Any, expected: str) -> None:
    assert word("key", value) == expected


@pytest.mark.parametrize(
    ("matrix", "path", "said"),
    [
        ({"grids": {}}, "matrix.grids", "nothing to run"),
        ({"grids": {"a": {}}}, "matrix.grids.a", "it has no keys"),
        ({"grids": {"a": {"layout": []}}}, "matrix.grids.a.layout", "it has no values"),
        ({"grids": {"a": {"seed": [1, 1]}}}, "matrix.grids.a.seed", "stands there twice"),
        ({"grids": {"a": {"seed": list(range(1001))}}}, "matrix.grids", "at most 1,000"),
        (
            {"grids": {"a": {"seed": [1]}}, "cells": [{"where": {"sed": 1}, "set": {}}]},
            "matrix.cells[0].where.sed",
            "did you mean seed?",
        ),
        (
            {"grids": {"a": {"seed": [1]}}, "cells": [{"where": {"seed": 2}, "set": {}}]},
            "matrix.cells[0].where.seed",
            "no cell has 2; there are 1",
        ),
        (
            {"grids": {"a": {"seed": [1]}}, "table": {"x": "load.stord"}},
            "matrix.table.x",
            "there is no metric load.stord; did you mean load.stored?",
        ),
    ],
)
def test_what_is_no_matrix_is_one_sentence(matrix: Any, path: str, said: str) -> None:
    ((where, what),) = check_matrix(convert(matrix, MatrixSettings))
    assert where == path
    assert said in what


@pytest.mark.parametrize(
    "matrix",
    [{"grids": {"a": {"layout": "daily"}}}, {"grid": {}}, {"grids": [], "cells": []}, {}],
)
def test_what_has_not_the_shape_of_a_matrix_is_refused(matrix: Any) -> None:
    with pytest.raises(ConfigError):
        convert(matrix, MatrixSettings)


@pytest.mark.parametrize(
    ("grid", "words", "said"),
    [
        ({"layout": ["daly"]}, [], "cell layout=daly: layout=daly: there is no layout daly; did"),
        ({"fleet.devises": [3]}, [], "did you mean fleet.devices?"),
        ({"seed": [1]}, ["platform.keep=true"], "platform.keep: "),
    ],
)
def test_a_cell_that_could_not_be_run_keeps_all_from_running(
    tmp_path: Path, grid: Any, words: list[str], said: str
) -> None:
    own = _own(tmp_path, {"grids": {"a": grid}})
    with composer(own) as compose, pytest.raises(UsageError) as caught:
        expand(compose, ["scenario=mine", *words])
    assert said in str(caught.value)


def test_what_cannot_be_measured_is_refused(shipped: RunConfig) -> None:
    replace = msgspec.structs.replace
    history = shipped.prepare.history
    assert history is not None
    late = replace(
        shipped.measure, ingest=IngestSettings(after=14.0), partition_roll=RollSettings(at=20.0)
    )
    odd = replace(history, sensor_types=("humidty",), interval=history.span * 2)
    cases = [
        (replace(shipped, prepare=replace(shipped.prepare, history=None)), ["measure.queries"]),
        (replace(shipped, measure=late), ["measure.ingest.after", "measure.partition_roll.at"]),
        (
            replace(shipped, prepare=replace(shipped.prepare, history=odd)),
            ["prepare.history.sensor_types", "prepare.history.span"],
        ),
        (
            replace(shipped, platform=replace(shipped.platform, url="http://127.0.0.1:1")),
            ["measure", "prepare.history"],
        ),
    ]
    for config, expected in cases:
        found = check(config, lambda path: "")
        assert [sentence.partition(":")[0] for sentence in found] == expected
    assert check(shipped, lambda path: "") == []
