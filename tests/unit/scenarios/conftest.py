"""What the unit tests of the driver share: a summary as a good run leaves it, and its folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fleetsim.ledger.histogram import Histogram
from fleetsim.ledger.truth import Interval
from fleetstorm.results.folder import Folder
from fleetstorm.results.proof import Alerts, Verification
from fleetstorm.results.summary import (
    Generator,
    Latency,
    Load,
    Machine,
    Percentiles,
    Resources,
    RunSummary,
    Summary,
)
from fleetstorm.results.tables import histograms_table, timeseries_table, truth_table

BEGAN_US = 1_780_000_000_000_000
SECONDS = 60
RATE = 20_000


def _percentiles(scale: float) -> Percentiles:
    return Percentiles(p50=scale, p90=2 * scale, p99=5 * scale, p999=9 * scale, max=12.5 * scale)


@pytest.fixture
def summary() -> Summary:
    """A run that has stored every reading, as it is before its verdict."""
    return Summary(
        run=RunSummary(
            id="4f2a9c01",
            scenario="steady",
            seed=7,
            digest="f00d" * 8 + "-1200000",
            started_at="2026-06-01T10:00:00.000+00:00",
            wall_s=84.2,
            virtual_s=60.0,
            speed=1.0,
            version="0.1.0",
            git="795d088",
            config_sha256="ab" * 32,
        ),
        machine=Machine(
            cpu="A processor of 64 cores",
            cores=2,
            memory_bytes=24 * 2**30,
            os="Linux 6.1",
            python="3.11.7",
            postgres="18.1",
            fsync=True,
            full_page_writes=True,
            synchronous_commit="on",
        ),
        load=_load(),
        latency_ms=Latency(
            response=_percentiles(42.0),
            service=_percentiles(31.0),
            age=_percentiles(44.0),
            alert=_percentiles(55.0),
        ),
        verification=Verification(
            lost=0,
            duplicated=0,
            altered=0,
            unexpected=0,
            conflict=0,
            orphans=0,
            calibrated_wrong=0,
            alerts=Alerts(expected=40, raised=40, missed=0, false=0),
        ),
        resources=_resources(),
        generator=Generator(schedule_lag_ms_p99=3.2, cpu_share=0.36),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A results folder with everything in it but the summary."""
    folder = Folder.create(tmp_path / "run", tmp_path, "steady", "4f2a9c01")
    _fill(folder)
    yield folder
    folder.close()


@pytest.fixture
def finished(folder: Folder) -> Callable[[Summary], Path]:
    """Write a summary into the folder, which is then a run's."""

    def finish(summary: Summary) -> Path:
        folder.write_summary(summary)
        folder.close()
        return folder.path

    return finish


def _load() -> Load:
    emitted = RATE * SECONDS
    return Load(
        devices=25_000,
        sensors=25_000,
        shards=1,
        transport="http_arrow",
        engine="stream",
        layout="monthly_list",
        indexes=("standard",),
        emitted=emitted,
        withheld=1200,
        dropped=0,
        rejected=4,
        acknowledged=emitted - 1304,
        indeterminate=100,
        buffered=0,
        stored=emitted - 1304 + 60,
        duplicates=12,
        requests=1500,
        offered_per_s=20_000.0,
        stored_per_s=19_962.5,
        withheld_by_cause={"dropout": 1200},
        dropped_by_cause={},
        rejected_by_code={"out_of_window": 4},
    )


def _resources() -> Resources:
    return Resources(
        cpu_s={"postgres": 31.5, "service": 14.25, "shards": 22.0, "driver": 3.5},
        rss_bytes_max={
            "postgres": 900_000_000,
            "service": 180_000_000,
            "shards": 210_000_000,
            "driver": 150_000_000,
        },
        wal_bytes=160_000_000,
        table_bytes=151_000_000,
        index_bytes=61_000_000,
        bytes_per_reading=177.4,
        bytes_per_reading_by_part={
            "heap": 126.2,
            "sensor_data_sensor_id_key": 51.1,
            "idx_brin": 0.1,
        },
        cpu_us_per_reading=38.2,
        waits={"CPU": 41, "IO:WalSync": 22, "LWLock:WALWrite": 6},
    )


def _fill(folder: Folder) -> None:
    rng = np.random.default_rng(3)
    folder.write_config("name: steady\nfleet:\n  devices: 25000\n")
    folder.events.add("enrolled", devices=25_000, sensors=25_000)
    folder.events.add("sensor_fault", BEGAN_US, fault="stuck", share="5%", device_type="<b>any</b>")
    rows = []
    histograms = []
    emitted = acknowledged = 0
    cpu = dict.fromkeys(("postgres", "service", "shards", "driver"), 0.0)
    for second in range(SECONDS + 1):
        at_us = BEGAN_US + second * 1_000_000
        emitted += RATE
        stored = RATE + int(rng.normal(0, 600)) - (12_000 if second == 30 else 0)
        acknowledged = min(emitted, acknowledged + stored + (6000 if second in (31, 32) else 0))
        times_us = (rng.lognormal(10.6, 0.5 + (second == 30), 400)).astype(np.int64)
        histogram = Histogram()
        histogram.add(times_us)
        histograms.append(("latency_ms.response", float(second), histogram))
        for name, value in (
            ("load.emitted", emitted),
            ("load.acknowledged", acknowledged),
            ("load.buffered", emitted - acknowledged),
            ("latency_ms.response.p50", (histogram.percentile(50) or 0) / 1000),
            ("latency_ms.response.p99", (histogram.percentile(99) or 0) / 1000),
        ):
            rows.append((at_us, at_us, name, {}, float(value)))
        for part, share in zip(cpu, (0.55, 0.25, 0.37, 0.06), strict=True):
            cpu[part] += share * float(rng.uniform(0.8, 1.2))
            rows.append((at_us, at_us, "resources.cpu_s", {"part": part}, cpu[part]))
    folder.write_timeseries(timeseries_table(rows))
    folder.write_histograms(histograms_table(histograms))
    fault = Interval("stuck", 0, 0, BEGAN_US, BEGAN_US + 10_000_000, 0.0)
    folder.write_truth(truth_table([fault], {(0, 0): ("run-d000000", "temperature")}))
