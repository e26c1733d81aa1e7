"""`fleetstorm run` of a scenario that is a matrix."""

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest
import yaml

from fleetstorm.results.matrix import schema_path

from .conftest import Fleetstorm, Start

MATRIX: dict[str, Any] = {
    "name": "pair",
    "description": "Two layouts beside each other.",
    "duration": "4s",
    "fleet": {"devices": 100, "mix": {"thermometer": 1}, "devices_per_gateway": 50},
    "load": {"rate": "1k/s"},
    "timeline": [{"at": "2s", "load": {"rate": "20k/s"}}],
    "prepare": {
        "history": {
            "devices": 3, "sensor_types": ["temperature", "co2"], "span": "40d", "interval": "1h",
        }
    },
    "measure": {
        "ingest": {"after": "2s"}, "partition_roll": {"at": "1s"},
        "queries": {"calls": 3, "warm": 1},
    },
    "matrix": {
        "grids": {"layouts": {"layout": ["monthly_list", "single"]}},
        "table": {
            "ingest": "storage.ingest.stored_per_s",
            "bytes": "resources.bytes_per_reading",
            "WAL": "resources.wal_bytes_per_reading",
            "last": "storage.queries.latency_ms.last_value.p99",
            "made": "storage.partition_roll.made",
        },
    },
    "limits": {"schedule_lag": "60s"},
    "bars": {"verification.lost": {"max": 0}, "verification.duplicated": {"max": 0}},
}  # fmt: skip


def _write(tmp_path: Path, **changes: Any) -> tuple[str, ...]:
    (tmp_path / "scenario").mkdir()
    text = "# @package _global_\n" + yaml.safe_dump(MATRIX | changes, sort_keys=False)
    (tmp_path / "scenario" / "pair.yaml").write_text(text)
    return ("run", "scenario=pair", "--config-dir", ".", "out=out")


def _matrix(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "out" / "matrix.json").read_text())
    jsonschema.validate(found, json.loads(schema_path().read_text()))
    return found


@pytest.mark.campaign
def test_a_mistake_in_a_cell_is_told_before_anything_starts(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    words = _write(tmp_path, matrix={"grids": {"a": {"layout": ["single", "daly"]}}})
    ended = fleetstorm(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "there is no layout daly; did you mean daily?" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.campaign
def test_two_layouts_are_measured_and_stand_in_one_table(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    """Each run has a folder of its own; one PostgreSQL was started, and none is left."""
    ended = fleetstorm(*_write(tmp_path))
    assert ended.code == 0, ended
    assert ended.left == []
    assert "2 of 2: layout=single (about" in ended.out
    matrix = _matrix(tmp_path)
    assert [(c["label"], c["verdict"]) for c in matrix["cells"]] == [
        ("layout=monthly_list", "pass"), ("layout=single", "pass"),
    ]  # fmt: skip
    listed, single = (cell["metrics"] for cell in matrix["cells"])
    assert listed["storage.partition_roll.made"] == 3
    assert single["storage.partition_roll.made"] is None
    assert all(value for value in listed.values())
    for cell in matrix["cells"]:
        summary = json.loads((tmp_path / "out" / cell["folder"] / "summary.json").read_text())
        assert (summary["verification"]["lost"], summary["verification"]["duplicated"]) == (0, 0)
        assert summary["load"]["layout"] == cell["values"]["layout"]
    log = (tmp_path / "out" / "logs" / "postgres.log").read_text()
    assert log.count("starting PostgreSQL") == 1
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()
    assert fleetstorm("report", "out").code == 0


@pytest.mark.campaign
def test_a_cell_that_fails_does_not_keep_the_others_from_running(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    """One meets a port that is taken, one a bar that it cannot hold; the third passes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        matrix = {
            "grids": {"a": {"seed": [1, 2, 3]}},
            "cells": [
                {"where": {"seed": 1}, "set": {"platform.port": taken.getsockname()[1]}},
                {"where": {"seed": 2}, "set": {"bars.load.stored.min": "100M"}},
            ],
        }
        words = _write(tmp_path, matrix=matrix, measure={}, prepare={})
        ended = fleetstorm(*words)
    found = _matrix(tmp_path)
    assert [cell["verdict"] for cell in found["cells"]] == ["error", "fail", "pass"]
    assert (ended.code, found["exit_code"]) == (5, 5)
    assert "port" in found["cells"][0]["reason"]
    assert "Traceback" not in ended.out + ended.err


@pytest.mark.campaign
def test_ctrl_c_writes_the_table_so_far_and_leaves_nothing(
    start: Start,
    wait_until: Callable[[Callable[[], object], float], None],
    family: Callable[[int], list[psutil.Process]],
    tmp_path: Path,
) -> None:
    running = start(*_write(tmp_path))
    said = tmp_path / "said"
    wait_until(lambda: "2 of 2" in said.read_text(), 120)
    wait_until(lambda: said.read_text().count("storm …") == 2, 60)
    below = family(running.pid)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    matrix = _matrix(tmp_path)
    assert (matrix["verdict"], matrix["planned"]) == ("interrupted", 2)
    assert [cell["verdict"] for cell in matrix["cells"]] == ["pass", "interrupted"]
    assert "INTERRUPTED" in said.read_text()
    _, alive = psutil.wait_procs(below, timeout=10)
    assert alive == []
