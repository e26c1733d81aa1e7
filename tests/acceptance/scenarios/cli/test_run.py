"""`fleetstorm run`, from the first word to the exit code."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from fleetstorm.results.summary import schema_path

from .conftest import Fleetstorm, Start

SHORT = ("scenario=smoke", "duration=3s", "timeline=[]", "fleet.devices=20")
NO_ALERTS = "bars.verification.alerts.raised.min=0"
PATIENT = "bars.latency_ms.response.p99.max=10s"
LONG = pytest.mark.campaign
FILES = {
    "summary.json", "timeseries.parquet", "histograms.parquet", "events.jsonl", "truth.parquet",
    "config.yaml", "report.html", "logs",
}  # fmt: skip


def _summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def test_the_first_command_of_a_new_user_passes(fleetstorm: Fleetstorm, tmp_path: Path) -> None:
    """No option, no folder: results/<date>/smoke/<time>-<id>, a verdict, exit code 0."""
    ended = fleetstorm("run", "scenario=smoke", PATIENT)
    assert ended.code == 0, ended
    assert "PASS" in ended.out
    (folder,) = tmp_path.glob("results/*/smoke/*")
    assert {path.name for path in folder.iterdir()} == FILES
    summary = _summary(folder)
    jsonschema.validate(summary, json.loads(schema_path().read_text()))
    assert summary["verdict"] == "pass"
    assert summary["verification"]["alerts"]["raised"] > 0
    assert summary["load"]["withheld_by_cause"]["dropout"] > 0


@LONG
def test_a_failed_bar_ends_with_exit_code_1(fleetstorm: Fleetstorm, tmp_path: Path) -> None:
    ended = fleetstorm("run", *SHORT, PATIENT, "bars.load.stored.min=1M", "out=here")
    assert ended.code == 1
    assert "load.stored" in ended.out
    assert _summary(tmp_path / "here")["verdict"] == "fail"


@LONG
def test_a_sweep_has_a_folder_for_every_run_and_the_worst_exit_code(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    words = [*SHORT, PATIENT, NO_ALERTS, "transport=http_arrow,http_json", "out=sweep"]
    ended = fleetstorm("run", "--multirun", *words)
    assert ended.code == 0, ended
    folders = sorted(path.name for path in (tmp_path / "sweep").iterdir())
    assert folders == ["0-transport=http_arrow", "1-transport=http_json"]
    transports = [_summary(tmp_path / "sweep" / f)["load"]["transport"] for f in folders]
    assert transports == ["http_arrow", "http_json"]


@LONG
def test_a_run_against_a_platform_that_is_served(
    fleetstorm: Fleetstorm,
    start: Start,
    wait_until: Callable[[Callable[[], object], float], None],
    tmp_path: Path,
) -> None:
    """`serve` prints all that a run needs, and ends cleanly with Ctrl-C."""
    served = start("serve")
    said = tmp_path / "said"
    wait_until(lambda: "Ctrl-C ends it" in said.read_text(), 60)
    line = next(line for line in said.read_text().splitlines() if "fleetstorm run" in line)
    words = line.split()[3:]
    ended = fleetstorm("run", *SHORT, *words, PATIENT, NO_ALERTS, "out=here")
    assert ended.code == 0, ended
    assert _summary(tmp_path / "here")["verification"]["lost"] == 0
    served.send_signal(signal.SIGINT)
    assert served.wait(30) == 0


@pytest.mark.parametrize(
    ("when", "told"),
    [
        pytest.param("storm", signal.SIGINT, marks=LONG),
        pytest.param("storm", signal.SIGTERM, marks=LONG),
        pytest.param("start PostgreSQL", signal.SIGINT, marks=LONG),
        pytest.param("start PostgreSQL", signal.SIGTERM, marks=LONG),
        pytest.param("start the fleet", signal.SIGINT, marks=LONG),
        pytest.param("start the fleet", signal.SIGTERM, marks=LONG),
        pytest.param("verify", signal.SIGINT, marks=LONG),
        pytest.param("verify", signal.SIGTERM, marks=LONG),
    ],
)
def test_ctrl_c_at_any_time_writes_what_there_is_and_leaves_nothing(
    start: Start,
    family: Callable[[int], list[psutil.Process]],
    wait_until: Callable[[Callable[[], object], float], None],
    tmp_path: Path,
    when: str,
    told: signal.Signals,
) -> None:
    words = ("scenario=smoke", "duration=5s", "timeline=[]", PATIENT, NO_ALERTS, "out=here")
    process = start("run", *words)
    said = tmp_path / "said"
    wait_until(lambda: when in said.read_text() or process.poll() is not None, 90)
    below = family(process.pid)
    process.send_signal(told)
    code = process.wait(60)
    verdict = _summary(tmp_path / "here")["verdict"]
    if when == "verify":  # which is over in an instant, and then the verdict stands
        assert (code, verdict) in [(130, "interrupted"), (0, "pass")], said.read_text()
    else:
        assert (code, verdict) == (130, "interrupted"), said.read_text()
    assert "***" not in said.read_text()
    _, left = psutil.wait_procs(below, timeout=10)
    assert left == [], [p.cmdline() for p in left]


@LONG
def test_ctrl_c_in_a_terminal_reaches_the_whole_group(
    start: Start,
    wait_until: Callable[[Callable[[], object], float], None],
    tmp_path: Path,
) -> None:
    """A terminal sends it to every process of the group, the fleet's and the platform's too."""
    process = start("run", "scenario=smoke", "out=here")
    said = tmp_path / "said"
    wait_until(lambda: "rate" in said.read_text() or process.poll() is not None, 90)
    subprocess.run(["/bin/kill", "-INT", "--", f"-{process.pid}"], check=True)
    assert process.wait(60) == 130, said.read_text()
    assert _summary(tmp_path / "here")["load"]["emitted"] > 0


@LONG
def test_a_kept_database_can_be_looked_into_and_ended(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    """The two lines that are printed do what they say."""
    ended = fleetstorm("run", *SHORT, PATIENT, NO_ALERTS, "platform.keep=true", "out=here")
    assert ended.code == 0, ended
    lines = {k: v.strip() for k, _, v in (line.partition(":") for line in ended.err.splitlines())}
    query = f'{lines["The database stays up"]} -Atc "select count(*) from iot.sensor_data"'
    try:
        counted = subprocess.run(
            ["/bin/sh", "-c", query], capture_output=True, text=True, check=True
        )
    finally:
        subprocess.run(["/bin/sh", "-c", lines["To remove it"]], check=False)
    assert int(counted.stdout) == _summary(tmp_path / "here")["load"]["stored"]


@LONG
def test_a_noisy_neighbour_is_held_to_its_quota(fleetstorm: Fleetstorm, tmp_path: Path) -> None:
    """multi_tenant, shortened; how much it costs the others is for a quiet machine to say."""
    timeline = "timeline=[{at: 10s, load: {organization: noisy, rate: 2k/s}}]"
    shorter = ("bars.tenants.windows_quiet.min=2", "bars.tenants.windows_noisy.min=2",
               "bars.tenants.quiet_p99_rise.max=20", "bars.tenants.quiet_p99_ms.max=10s",
               "bars.tenants.noisy_over_quota.max=1.2")  # fmt: skip
    ended = fleetstorm(
        "run", "scenario=multi_tenant", "duration=20s", timeline, *shorter, "out=here"
    )
    assert ended.code == 0, ended
    summary = _summary(tmp_path / "here")
    jsonschema.validate(summary, json.loads(schema_path().read_text()))
    assert summary["verification"]["leaks"] == 0
    noisy, *others = summary["tenants"]["organizations"]
    assert (noisy["noisy"], noisy["refused"] > 0, noisy["dropped"] > 0) == (True, True, True)
    assert [(one["refused"], one["dropped"]) for one in others] == [(0, 0)] * 9


@LONG
def test_a_month_of_late_data_is_stored_beside_the_load(
    fleetstorm: Fleetstorm, tmp_path: Path
) -> None:
    """backfill, shortened: 20 devices with a reading an hour of 30 days."""
    timeline = "timeline=[{at: 2s, backlog: {share: 10%, of: 30d, interval: 1h, within: 10s}}]"
    ended = fleetstorm(
        "run", "scenario=backfill", "fleet.devices=200", "load.rate=500/s", "duration=15s",
        timeline, "out=here",
    )  # fmt: skip
    assert ended.code == 0, ended
    load = _summary(tmp_path / "here")["load"]
    assert load["stored"] == load["emitted"]
    assert load["emitted"] == pytest.approx(15 * 500 + 20 * 30 * 24, rel=0.01)
