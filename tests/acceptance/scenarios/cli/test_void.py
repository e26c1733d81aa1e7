"""A run whose generator was the limit proves nothing, and says so."""

import json
from pathlib import Path

import pytest

from .conftest import Fleetstorm


@pytest.mark.campaign
def test_a_generator_that_was_the_limit_makes_the_run_void(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    """With limits that no simulator keeps: late, and the reason for it."""
    limits = ("limits.schedule_lag=1us", "limits.generator_cpu_share=1%")
    ended = fleetstorm("run", "scenario=steady", "duration=4s", "load.rate=5k/s", *limits, "out=x")
    assert ended.code == 3, ended
    summary = json.loads((tmp_path / "x" / "summary.json").read_text())
    assert summary["verdict"] == "void"
    assert summary["generator"]["null_sink_per_s"] > 5_000


@pytest.mark.campaign
def test_a_generator_is_measured_alone_without_any_platform(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    ended = fleetstorm("run", "transport=null_sink", "duration=3s", "load.rate=5k/s", "out=x")
    assert ended.code == 0, ended
    load = json.loads((tmp_path / "x" / "summary.json").read_text())["load"]
    assert (load["acknowledged"], load["stored"], load["engine"]) == (load["emitted"], None, None)
