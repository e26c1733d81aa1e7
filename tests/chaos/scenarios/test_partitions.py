"""The scenarios about partitions: they prove what they say, and that they bit."""

from collections.abc import Callable
from typing import Any

import pytest

StartRun = Callable[..., Any]

pytestmark = pytest.mark.campaign

PATIENT = ("bars.latency_ms.response.p99={max: 60s}", "limits.schedule_lag=60s")
PROVEN = {"lost": 0, "duplicated": 0, "altered": 0, "unexpected": 0, "orphans": 0, "stray": 0}


@pytest.mark.parametrize("layout", ["monthly_list", "daily"])
async def test_a_partition_that_cannot_be_made_loses_nothing(
    start_run: StartRun, layout: str
) -> None:
    run = start_run("scenario=missing_partition", f"layout={layout}", *PATIENT)
    assert await run.end() == 0, run.said()
    events = {e["kind"]: e for e in run.events()}
    assert events["partitions_held"]["sqlstate"] == "55P03"
    assert events["partitions_held"]["partition"].startswith("sensor_data_2026_07")
    assert events["partitions_released"]["strayed"] > 0
    summary = run.summary()
    assert {name: summary["verification"][name] for name in PROVEN} == PROVEN
    assert summary["partitions"]["strayed_max"] == events["partitions_released"]["strayed"]
    assert summary["load"]["stored"] == summary["load"]["emitted"]


async def test_the_clock_crosses_a_month_and_its_partitions_are_there(
    start_run: StartRun,
) -> None:
    run = start_run("scenario=partition_rollover", *PATIENT)
    assert await run.end() == 0, run.said()
    (rolled,) = [e for e in run.events() if e["kind"] == "partition_rolled"]
    assert rolled["partition"] == "sensor_data_2026_07"
    assert set(rolled["rows"]) == {f"iot.sensor_data_2026_07_type_{code}" for code in (1, 2, 3)}
    assert rolled["late"] == []
    summary = run.summary()
    assert {name: summary["verification"][name] for name in PROVEN} == PROVEN
    assert summary["partitions"] == {"begun": 1, "late": 0, "strayed_max": 0}


async def test_partitions_that_are_not_made_ahead_fail_the_rollover(start_run: StartRun) -> None:
    """A worker that looks once a minute does not know the fleet's sensor types in time."""
    run = start_run("scenario=partition_rollover", "platform.worker.partition_interval=60s")
    assert await run.end() == 1, run.said()
    assert run.summary()["partitions"]["late"] == 3
    assert run.summary()["verification"]["lost"] == 0


@pytest.mark.parametrize("action", ["hold_partitions", "watch_partitions"])
async def test_an_action_that_does_not_bite_is_an_error(start_run: StartRun, action: str) -> None:
    run = start_run(
        "scenario=missing_partition", "start=2026-06-10T00:00:00Z", "duration=8s",
        f"timeline=[{{at: 1s, {action}: {{for: 3s}}}}]",
    )  # fmt: skip
    assert await run.end() == 5, run.said()
    assert run.summary()["verdict"] == "error"
    assert f"{action} did not" in run.summary()["reason"]
