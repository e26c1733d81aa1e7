"""What a run says when its parts are killed, its rows tampered with, its load split up."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

StartRun = Callable[..., Any]
NothingLeft = Callable[[list[psutil.Process]], Awaitable[None]]

pytestmark = pytest.mark.campaign

STEADY = ("scenario=steady", "fleet.devices=2000", "fleet.devices_per_gateway=500")
PATIENT = ("bars.latency_ms.response.p99={max: 60s}", "limits.schedule_lag=60s")
"""Parts that are killed, or that share two cores with another run, take their time."""
UNHURT = "bars.verification.alerts.raised={min: 0}"
"""Without faults there may be no alert."""
PROVEN = {"lost": 0, "duplicated": 0, "altered": 0, "unexpected": 0, "orphans": 0}
TIMES_KILLED = 3


async def test_a_killed_postgresql_comes_back_and_nothing_is_lost_or_doubled(
    start_run: StartRun,
) -> None:
    run = start_run(*STEADY, "load.rate=20k/s", "duration=20s", *PATIENT)
    await run.until_storm()
    for _ in range(TIMES_KILLED):
        await asyncio.sleep(3)
        pid = run.pid_of("postgres")
        os.kill(pid, signal.SIGKILL)
        await run.until(lambda old=pid: run.pid_of("postgres") != old, "its restart")
    assert await run.end() == 0, run.said()
    summary = run.summary()
    assert {name: summary["verification"][name] for name in PROVEN} == PROVEN
    assert summary["load"]["emitted"] == summary["load"]["stored"]
    assert [e["kind"] for e in run.events()].count("part_died") == TIMES_KILLED


async def test_a_killed_service_comes_back_and_nothing_is_lost_or_doubled(
    start_run: StartRun,
) -> None:
    run = start_run(*STEADY, "load.rate=20k/s", "duration=15s", *PATIENT)
    await run.until_storm()
    await asyncio.sleep(4)
    os.kill(_service_pid(run), signal.SIGKILL)
    assert await run.end() == 0, run.said()
    verification = run.summary()["verification"]
    assert {name: verification[name] for name in PROVEN} == PROVEN


def _service_pid(run: Any) -> int:
    (pid,) = [
        p.pid for p in run.family() if "fleetplatform" in p.cmdline() and "-m" in p.cmdline()
    ]
    return pid


async def test_a_row_deleted_inserted_and_changed_are_all_named_and_the_run_fails(
    start_run: StartRun, database_url: str
) -> None:
    run = start_run(
        "scenario=smoke", f"platform.database.url={database_url}", "duration=12s", "timeline=[]",
        UNHURT, *PATIENT,
    )
    await run.until_storm()
    conn = await asyncpg.connect(database_url)
    while await conn.fetchval("select count(*) from iot.sensor_data") < 500:
        await asyncio.sleep(0.2)
    deleted, changed, copied = await conn.fetch(
        "select sensor_id, measurement_timestamp, tableoid, ctid from iot.sensor_data limit 3"
    )
    at = "where sensor_id = $1 and measurement_timestamp = $2"
    await conn.execute(f"delete from iot.sensor_data {at}", *deleted[:2])
    await conn.execute(
        "update iot.sensor_data set measurement_value = measurement_value + 1,"
        f" raw_value = raw_value + 1 {at}", *changed[:2],
    )
    await conn.execute(
        "insert into iot.sensor_data (sensor_id, device_id, organization_id, sensor_type,"
        " measurement_timestamp, received_at, measurement_value, data_quality, is_anomaly)"
        " select sensor_id, device_id, organization_id, sensor_type,"
        " measurement_timestamp + interval '1 microsecond', received_at, 7.25, 0, false"
        f" from iot.sensor_data {at}", *copied[:2],
    )
    await conn.close()
    assert await run.end() == 1, run.said()
    summary = run.summary()
    verification = summary["verification"]
    assert summary["verdict"] == "fail"
    found = {name: verification[name] for name in ("lost", "altered", "unexpected")}
    assert found == {"lost": 1, "altered": 1, "unexpected": 1}
    named = {(e["what"], e["sensor_id"]) for e in verification["examples"]}
    assert named == {
        ("lost", str(deleted["sensor_id"])),
        ("altered", str(changed["sensor_id"])),
        ("unexpected", str(copied["sensor_id"])),
    }


async def test_a_killed_driver_leaves_nothing_running(
    start_run: StartRun,
    nothing_left: NothingLeft,
) -> None:
    run = start_run("scenario=smoke", "duration=10m")
    await run.until_storm()
    family = run.family()
    folders = {Path(p.cwd()) for p in family if "fleetplatform" in p.cmdline()}
    assert folders
    run.process.kill()
    await run.end()
    await nothing_left(family)
    deadline = time.monotonic() + 10
    while any(folder.parent.exists() for folder in folders):
        assert time.monotonic() < deadline, folders
        await asyncio.sleep(0.1)


async def test_two_runs_at_once_do_not_meet(start_run: StartRun) -> None:
    runs = [start_run("scenario=smoke", *PATIENT) for _ in range(2)]
    assert [await run.end() for run in runs] == [0, 0], [run.said() for run in runs]


async def test_two_runs_on_one_database_do_not_meet(
    start_run: StartRun, database_url: str
) -> None:
    """The second reads only its own organization, and its devices are other devices."""
    url = f"platform.database.url={database_url}"
    for _ in range(2):
        run = start_run("scenario=smoke", url, "duration=5s", "timeline=[]", UNHURT, *PATIENT)
        assert await run.end() == 0, run.said()


@pytest.mark.parametrize("transport", ["http_arrow", "http_json"])
async def test_the_same_seed_gives_the_same_digest_on_any_number_of_shards(
    start_run: StartRun, transport: str
) -> None:
    faults = "timeline=[{at: 1s, sensor_fault: {fault: stuck, share: 50%, for: 3s}}]"
    common = ("scenario=smoke", "duration=6s", faults, f"transport={transport}", *PATIENT, UNHURT)
    digests = set()
    for split in ("fleet.shards=1", "fleet.shards=2", "fleet.shards=4"):
        run = start_run(*common, "fleet.devices=20", split)
        assert await run.end() == 0, run.said()
        digests.add(run.summary()["run"]["digest"])
    run = start_run(*common, "fleet.devices=20", "fleet.devices_per_shard=1")
    assert await run.end() == 0, run.said()
    assert run.summary()["load"]["shards"] == 20
    assert digests == {run.summary()["run"]["digest"]}


@pytest.mark.parametrize("layout", ["monthly", "daily", "single", "seed"])
async def test_every_layout_proves_the_same(start_run: StartRun, layout: str) -> None:
    run = start_run("scenario=smoke", f"layout={layout}", "duration=12s")
    assert await run.end() == 0, run.said()
    assert run.summary()["load"]["layout"] == layout


async def test_the_row_engine_proves_the_same(start_run: StartRun) -> None:
    run = start_run("scenario=smoke", "engine=row", "latency_bars=none")
    assert await run.end() == 2
    assert re.search("latency_bars.*unknown key", run.said())
    run = start_run("scenario=smoke", "engine=row", "fleet.devices=20")
    assert await run.end() == 0, run.said()


@pytest.mark.parametrize("scenario", ["ramp", "replay_recording", "anomalies"])
async def test_the_shipped_scenarios_pass(start_run: StartRun, scenario: str) -> None:
    run = start_run(f"scenario={scenario}")
    assert await run.end() == 0, run.said()
