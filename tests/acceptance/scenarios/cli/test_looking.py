"""The commands that only look."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import Fleetstorm


def test_help_imports_nothing_slow() -> None:
    """What makes it quick: measured, it takes a third of a second."""
    code = "import sys; import fleetstorm.cli.app; print('\\n'.join(sys.modules))"
    words = [sys.executable, "-c", code]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    slow = {"ray", "numpy", "hydra", "pyarrow", "asyncpg", "altair", "scipy", "litestar"}
    assert slow & set(loaded) == set()


@pytest.mark.bench
def test_help_takes_less_than_a_second(fleetstorm: Fleetstorm) -> None:
    took_s = min(fleetstorm("--help").took_s for _ in range(3))
    print(f"fleetstorm --help: {took_s:.2f} s")


def test_cfg_job_prints_yaml_that_is_a_scenario(fleetstorm: Fleetstorm, tmp_path: Path) -> None:
    ended = fleetstorm("run", "scenario=smoke", "--cfg", "job", "fleet.devices=9")
    assert ended.code == 0
    assert yaml.safe_load(ended.out)["fleet"]["devices"] == 9
    folder = tmp_path / "mine" / "scenario"
    folder.mkdir(parents=True)
    (folder / "again.yaml").write_text(f"# @package _global_\n{ended.out}")
    listed = fleetstorm("list", "scenarios", "--config-dir", "mine")
    assert "again" in listed.out
    checked = fleetstorm("validate", "--config-dir", "mine", "scenario=again")
    assert checked.out.startswith("smoke is valid: 9 devices")


def test_doctor_looks_at_everything_a_run_needs(fleetstorm: Fleetstorm) -> None:
    ended = fleetstorm("doctor")
    assert ended.code == 0, ended
    for word in ("Python", "memory", "results folder", "disk", "PostgreSQL", "Ray"):
        assert word in ended.out


def test_a_pipe_that_closes_early_is_no_error() -> None:
    """`fleetstorm list metrics | head -1`."""
    environment = {**os.environ, "COLUMNS": "200"}
    line = f"{sys.executable} -m fleetstorm list metrics | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == ["0"]
