"""The recorder measures a real database, real processes and a real /metrics."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import psutil
import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.settings import PlatformSettings
from fleetplatform.wire.clock import ClockLaw
from fleetsim.ledger.histogram import Histogram
from fleetsim.ledger.report import Sample
from fleetstorm.metrics.platform import scrape
from fleetstorm.metrics.postgres import UNREACHABLE, Database, Observation
from fleetstorm.metrics.processes import Processes
from fleetstorm.metrics.recorder import Recorder
from fleetstorm.stack.postgres import PostgresServer

FILL = """
insert into iot.sensor_data (organization_id, sensor_id, device_id, sensor_type,
    measurement_timestamp, received_at, measurement_value, data_quality, is_anomaly)
select uuidv7(), uuidv7(), uuidv7(), 1, t, t, 1.5, 0, false
from generate_series(timestamptz '2026-06-01Z', timestamptz '2026-06-01Z' + $1 * interval '1 s',
                     interval '1 s') as t
"""
PAGE = """\
# HELP fleetstorm_readings_stored_total Readings committed.
# TYPE fleetstorm_readings_stored_total counter
fleetstorm_readings_stored_total {stored}
# HELP fleetstorm_readings_rejected_total Not taken.
# TYPE fleetstorm_readings_rejected_total counter
fleetstorm_readings_rejected_total{{code="out_of_window"}} 4.0
# HELP fleetstorm_readings_conflict_total Another value.
# TYPE fleetstorm_readings_conflict_total counter
fleetstorm_readings_conflict_total {conflicts}
# HELP process_cpu_seconds_total Not ours.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 9.0
"""


class Platform:
    """Something that answers GET /metrics over TCP, as the platform does."""

    def __init__(self) -> None:
        self.stored, self.conflicts, self.status = 0, 0, "200 OK"
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = PAGE.format(stored=self.stored, conflicts=self.conflicts)
        writer.write(f"HTTP/1.1 {self.status}\r\n\r\n{body}".encode())
        writer.close()


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    platform = Platform()
    server = await asyncio.start_server(platform.answer, "127.0.0.1", 0)
    async with server:
        platform.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield platform


@pytest.fixture
async def prepared(database_url: str) -> PreparedDatabase:
    folder = Path(fleetconf.__file__).parent
    tree, layout, engine = (
        yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))
        for name in ("platform/default", "layout/monthly_list", "engine/stream")
    )
    settings = convert(tree | {"layout": layout, "engine": engine}, PlatformSettings)
    return await prepare_database(database_url, settings)


BEGAN_US = 1_780_272_000_000_000
LAW = ClockLaw(virtual_anchor_us=BEGAN_US, wall_anchor_us=BEGAN_US, speed=1.0)


def sample(second: int, emitted: int, acknowledged: int, *times_us: int) -> Sample:
    """Of a second of the load; the one that stands where the one before stood is of draining."""
    response = Histogram()
    response.add(np.array(times_us, dtype=np.int64))
    at_us = BEGAN_US + second * 1_000_000
    return Sample(
        virtual_us=at_us,
        wall_us=at_us,
        emitted=emitted,
        acknowledged=acknowledged,
        buffered=emitted - acknowledged,
        response=response,
    )


async def fill(url: str, rows: int) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute(FILL, rows - 1)
    await conn.close()


async def test_a_run_is_measured_from_start_to_finish(
    postgres: PostgresServer, prepared: PreparedDatabase, platform: Platform
) -> None:
    pids = {"postgres": [postgres.part.pid], "service": [], "driver": [os.getpid()]}
    recorder = Recorder(platform.url, prepared.owner_url, lambda: pids)
    await recorder.start()
    await fill(prepared.owner_url, 5000)
    platform.stored, platform.conflicts = 5000, 3
    for second in range(1, 5):
        recorder.record(sample(second, 1250, 1200, 40_000, 60_000), LAW)
    recorder.record(sample(4, 0, 200), LAW)
    measured = await recorder.finish()

    assert (measured.offered_per_s, measured.stored_per_s) == (1250.0, 1200.0)
    assert measured.conflicts == 3
    assert measured.latency.response is not None
    assert measured.latency.response.p99 == pytest.approx(60, rel=0.01)
    assert measured.latency.age is None
    cost = measured.resources
    assert cost.cpu_s is not None
    assert set(cost.cpu_s) == {"postgres", "driver"}
    assert cost.cpu_s["postgres"] > 0
    assert cost.rss_bytes_max is not None
    assert cost.rss_bytes_max["driver"] > 10_000_000
    assert cost.wal_bytes is not None
    assert cost.wal_bytes > 500_000
    assert measured.generator.cpu_share is not None


async def test_bytes_a_reading_are_told_for_the_heap_and_each_index(
    prepared: PreparedDatabase,
) -> None:
    recorder = Recorder(None, prepared.owner_url, dict)
    await recorder.start()
    async with asyncpg.create_pool(prepared.owner_url, min_size=1) as pool:
        for month in ("2026-06-01Z", "2026-07-01Z"):
            await pool.fetchval(
                "select iot.ensure_partition($1::text::timestamptz, 1::smallint)", month
            )
    await fill(prepared.owner_url, 20_000)
    recorder.record(sample(0, 20_000, 20_000), ClockLaw(0, 0, 1.0))
    cost = (await recorder.finish()).resources
    assert cost.bytes_per_reading_by_part is not None
    parts = cost.bytes_per_reading_by_part
    assert parts["heap"] == pytest.approx(130, rel=0.2)
    assert parts["identity"] == pytest.approx(50, rel=0.2)
    assert set(parts) == {"heap", "identity", "idx_sensor_data_time_brin"}
    assert sum(parts.values()) == pytest.approx(cost.bytes_per_reading)
    assert 150 < (cost.bytes_per_reading or 0) < 250


async def test_what_was_polled_is_in_the_timeseries(
    prepared: PreparedDatabase, platform: Platform
) -> None:
    recorder = Recorder(platform.url, prepared.owner_url, lambda: {"driver": [os.getpid()]})
    await recorder.start()
    recorder.record(sample(0, 10, 10, 5000), ClockLaw(0, 0, 1.0))
    table = (await recorder.finish()).timeseries
    metrics = set(table["metric"].to_pylist())
    assert {
        "load.emitted",
        "load.acknowledged",
        "load.buffered",
        "latency_ms.response.p99",
        "resources.cpu_s",
        "resources.rss_bytes",
        "resources.wal_bytes",
        "resources.table_bytes",
        "resources.index_bytes",
        "platform.fleetstorm_readings_stored_total",
        "platform.fleetstorm_readings_rejected_total",
    } <= metrics
    assert "platform.process_cpu_seconds_total" not in metrics


async def test_a_platform_and_a_database_that_are_gone_leave_gaps_and_no_error() -> None:
    recorder = Recorder(
        "http://127.0.0.1:9", "postgresql://u:p@127.0.0.1:9/none", lambda: {"driver": [os.getpid()]}
    )
    await recorder.start()
    recorder.record(sample(0, 10, 10, 5000), ClockLaw(0, 0, 1.0))
    measured = await recorder.finish()
    assert measured.resources.wal_bytes is None
    assert measured.resources.bytes_per_reading is None
    assert measured.conflicts is None


async def test_a_database_that_comes_back_is_read_again(prepared: PreparedDatabase) -> None:
    database = Database(prepared.owner_url, 5.0)
    before = await database.observe(sizes=True)
    conn = await asyncpg.connect(prepared.owner_url)
    await conn.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'fleetstorm-metrics' and datname = current_database()"
    )
    await conn.close()
    after = await observe_again(database)
    await database.close()
    assert after.wal_position >= before.wal_position
    assert after.heap_bytes == before.heap_bytes


async def observe_again(database: Database) -> Observation:
    """The first look that succeeds; one may fail, if the loss was not noticed before it."""
    try:
        return await database.observe(sizes=True)
    except UNREACHABLE:
        return await database.observe(sizes=True)


async def test_a_conflict_counter_that_starts_again_still_counts(platform: Platform) -> None:
    recorder = Recorder(platform.url, None, dict)
    platform.conflicts = 10
    await recorder.start()
    platform.conflicts = 2
    assert (await recorder.finish()).conflicts == 2


async def test_an_answer_that_is_not_200_is_refused(platform: Platform) -> None:
    platform.status = "503 Service Unavailable"
    with pytest.raises(ValueError, match="answered"):
        await scrape(platform.url, 2.0)


def test_cpu_of_an_ended_process_stays_counted_and_nothing_counts_twice() -> None:
    """A child that is listed itself is not its parent's; one that is not, is."""
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
    listed = subprocess.Popen([sys.executable, "-c", burn + "input()"], stdin=subprocess.PIPE)
    processes = Processes()
    parts: dict[str, Any] = {"driver": [os.getpid()], "service": [listed.pid]}
    processes.start(parts)
    deadline = time.monotonic() + 20
    cpu: dict[str, float] = {}
    while cpu.get("service", 0) < 0.25:
        assert time.monotonic() < deadline
        cpu, _ = processes.read(parts)
    used = psutil.Process(listed.pid).cpu_times()
    assert cpu["service"] <= used.user + used.system
    before = cpu["service"]
    listed.communicate(b"\n")
    cpu, rss = processes.read(parts)
    assert cpu["service"] == pytest.approx(before, abs=0.1)
    assert "service" not in rss
