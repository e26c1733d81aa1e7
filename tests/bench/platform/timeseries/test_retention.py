"""A month to Parquet: bytes a reading by encoding, readings a second, and what ingest feels of it.

RETENTION_ROWS sets the size of the month (5 M); the months of the windows have a sixth each.
"""

import asyncio
import io
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import pyarrow.parquet as pq
import pytest

from fleetplatform import timeseries
from fleetplatform.admin import prepare_database
from fleetplatform.batch import Rows
from fleetplatform.database.pool import open_pool
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries.partitions import Partitions
from fleetplatform.timeseries.retention import files
from fleetplatform.timeseries.retention.keeper import Keeper
from fleetplatform.timeseries.retention.rows import Readings

ROWS = int(os.environ.get("RETENTION_ROWS", "5000000"))
SENSORS = 1000
WINDOWS = 6
BATCH_ROWS = 20_000
LIVE_ROWS, LIVE_EVERY_S = 2_000, 0.05
ORGANIZATION = UUID(int=0x0199_0000_0000_7000_8000_0000_0000_0001)
SETUP = """
with organization as (
    insert into iot.organizations (organization_id, name) values ($1, 'bench')
), type as (
    insert into iot.device_types (name, version) values ('thermometer', '1')
    returning device_type_id
), version as (
    insert into iot.device_type_versions (device_type_id, version, specification)
    select device_type_id, '1', '{}' from type
), device as (
    insert into iot.devices (organization_id, device_id, device_type_id, serial_number,
        device_status, device_type_version, hardware_revision)
    select $1, id, device_type_id, id::text, 'active', '1', '1' from unnest($2::uuid[]) as id, type
), policy as (
    insert into iot.data_retention_policies (organization_id, keep_days, action)
    values ($1, 1, 'archive')
)
insert into iot.sensors (organization_id, sensor_id, device_id, name, position, sensor_type, unit,
    value_min, value_max, resolution)
select $1, id, id, 't', 0, 1, '°C', -40, 85, 0.01 from unnest($2::uuid[]) as id
"""
CLOCK = "update iot.platform_clock set virtual_anchor = $1, wall_anchor = now(), speed = 0"

pytestmark = pytest.mark.bench


def _month(number: int) -> datetime:
    return datetime(2025 + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _sensor_ids() -> list[UUID]:
    return [UUID(int=(0x0199_0000_0000_7000 + n * 16) << 64 | 1 << 63 | n) for n in range(SENSORS)]


class _Source:
    """Temperatures that wander, in steps of 0.01, with scores, each sensor in turn."""

    def __init__(self) -> None:
        ids = _sensor_ids()
        self._high = np.array([one.int >> 64 for one in ids], np.uint64)
        self._low = np.array([one.int & (2**64 - 1) for one in ids], np.uint64)
        self._random = np.random.default_rng(5)
        self._level = self._random.normal(20, 3, SENSORS)

    def rows(self, first_us: int, step_us: int, rounds: int) -> Rows:
        """`rounds` readings of each sensor, the devices out of step with each other."""
        count = rounds * SENSORS
        at = np.tile(np.arange(SENSORS), rounds)
        self._level = self._level + self._random.normal(0, 0.05, (rounds, SENSORS)).cumsum(0)[-1]
        walk = self._level + self._random.normal(0, 0.05, (rounds, SENSORS)).cumsum(0)
        nothing = np.full(count, np.nan)
        tick = np.repeat(np.arange(rounds), SENSORS)
        return Rows(
            sensor=at.astype(np.int32), sensor_high=self._high[at], sensor_low=self._low[at],
            device_high=self._high[at], device_low=self._low[at],
            organization_high=np.full(count, ORGANIZATION.int >> 64, np.uint64),
            organization_low=np.full(count, ORGANIZATION.int & (2**64 - 1), np.uint64),
            sensor_type=np.ones(count, np.int16),
            measured_us=first_us + tick * step_us + at * 1237, value=walk.round(2).ravel(),
            raw=nothing, quality=np.zeros(count, np.int16),
            is_anomaly=np.zeros(count, np.bool_),
            score=self._random.normal(0, 1, count).clip(-5, 5), metadata=None,
            received_us=first_us + rounds * step_us + int(self._random.integers(200_000)),
        )  # fmt: skip


@dataclass
class _Bench:
    pool: Any
    owner: asyncpg.Connection
    source: _Source
    keeper: Keeper

    async def fill(self, month: int, count: int) -> None:
        """A month of `count` readings, in batches."""
        start = round(_month(month).timestamp() * 1e6)
        rounds = BATCH_ROWS // SENSORS
        batches = max(1, count // BATCH_ROWS)
        step_us = 27 * 86_400_000_000 // (batches * rounds)
        partitions = Partitions()
        for batch in range(batches):
            rows = self.source.rows(start + batch * rounds * step_us, step_us, rounds)
            await partitions.ensure(self.pool, rows.measured_us, rows.sensor_type)
            async with self.pool.acquire() as conn, conn.transaction():
                await timeseries.write(conn, rows)

    async def expire(self, month: int) -> float:
        """Archive a month, in the process of its own; seconds."""
        await self.owner.execute(CLOCK, _month(month + 1).replace(day=3))
        began = time.perf_counter()
        await self.keeper.run()
        return time.perf_counter() - began

    async def live(self, first_us: int, until: Callable[[], bool]) -> list[float]:
        """Batches at a steady rate until then; seconds from when each was due to its commit."""
        took, number, began = [], 0, time.perf_counter()
        partitions = Partitions()
        while not until():
            due = began + number * LIVE_EVERY_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            rows = self.source.rows(first_us + number * 10_000_000, 1_000_000, LIVE_ROWS // SENSORS)
            await partitions.ensure(self.pool, rows.measured_us, rows.sensor_type)
            async with self.pool.acquire() as conn, conn.transaction():
                await timeseries.write(conn, rows)
            took.append(time.perf_counter() - due)
            number += 1
        return took


@pytest.fixture
async def bench(
    database_url: str, make_settings: Callable[..., PlatformSettings], tmp_path: Path
) -> Any:
    settings = make_settings()
    prepared = await prepare_database(database_url, settings)
    owner = await asyncpg.connect(prepared.owner_url)
    await owner.execute(SETUP, ORGANIZATION, _sensor_ids())
    pool = await open_pool(prepared.urls["iot_ingest"], settings.database, "iot_ingest")
    worker = await open_pool(prepared.urls["iot_worker"], settings.database, "iot_worker")
    archive = type(settings.archive)(
        folder=str(tmp_path / "archive"), file_rows=settings.archive.file_rows,
        rows_per_s=settings.archive.rows_per_s, policies=1,
    )  # fmt: skip
    keeper = Keeper(worker, prepared.urls["iot_worker"], archive)
    yield _Bench(pool, owner, _Source(), keeper)
    for one in (pool, worker):
        await one.close()
    await owner.close()


async def test_a_month_to_parquet_and_ingest_beside_it(bench: _Bench) -> None:
    await bench.fill(0, ROWS)
    await bench.owner.execute("vacuum analyze iot.sensor_data")
    took_s = await bench.expire(0)
    told = await bench.owner.fetchrow(
        "select sum(reading_count)::bigint as readings, sum(file_bytes)::bigint as bytes,"
        " count(*) as files from iot.archive_manifests where manifest_state = 'dropped'"
    )
    print(
        f"\n{told['readings']:,} readings in {told['files']} files:"
        f" {told['readings'] / took_s:,.0f}/s from detached to dropped,"
        f" {told['bytes'] / told['readings']:.2f} bytes a reading"
    )
    alone, beside, rates = [], [], []
    for window in range(1, WINDOWS + 1):
        await bench.fill(window, ROWS // WINDOWS)
        first_us = round(_month(50 + window).timestamp() * 1e6)
        task = asyncio.create_task(bench.expire(window))
        beside.append(await bench.live(first_us, task.done))
        rates.append(ROWS // WINDOWS / task.result())
        end = time.perf_counter() + task.result()
        later_us = first_us + 10 * 86_400_000_000
        alone.append(await bench.live(later_us, lambda end=end: time.perf_counter() > end))
    for name, windows in (("alone", alone), ("beside", beside)):
        p99 = [1000 * float(np.quantile(one, 0.99)) for one in windows]
        p50 = [1000 * float(np.quantile(one, 0.50)) for one in windows]
        print(
            f"ingest {name}: p99 {statistics.median(p99):.1f} ms, p50"
            f" {statistics.median(p50):.1f} ms, median of {WINDOWS} windows of"
            f" {statistics.median(map(len, windows)):.0f} batches of {LIVE_ROWS:,};"
            f" p99 of each: {', '.join(f'{one:.0f}' for one in p99)}"
        )
    print(f"archived meanwhile at {statistics.median(rates):,.0f}/s")


def test_what_each_encoding_gives() -> None:
    source = _Source()
    parts = [source.rows(n * 20 * 500_000_000, 500_000_000, 20) for n in range(50)]
    readings = Readings(*(
        np.concatenate([_column(one, name) for one in parts]) for name in Readings.__slots__
    ))  # fmt: skip
    manifest = {"organization_id": ORGANIZATION, "sensor_type": 1}
    table = files.to_table(manifest, readings, {})
    plain: dict[str, str] = {}
    variants = {
        "as shipped": (files.DICTIONARIES, files.ENCODINGS),
        "plain": ([], plain),
        "t plain": (files.DICTIONARIES, {k: v for k, v in files.ENCODINGS.items() if k != "t"}),
        "scores plain": (files.DICTIONARIES, {"t": "DELTA_BINARY_PACKED"}),
        "received delta": (
            [one for one in files.DICTIONARIES if one != "received"],
            files.ENCODINGS | {"received": "DELTA_BINARY_PACKED"},
        ),
        "values split into streams": (
            [one for one in files.DICTIONARIES if one != "value"],
            files.ENCODINGS | {"value": "BYTE_STREAM_SPLIT"},
        ),
    }
    for name, (dictionaries, encodings) in variants.items():
        sink, began = io.BytesIO(), time.perf_counter()
        pq.write_table(
            table, sink, row_group_size=files.ROW_GROUP_ROWS, compression="zstd",
            use_dictionary=dictionaries or False, column_encoding=encodings or None,
        )  # fmt: skip
        took_s = time.perf_counter() - began
        by_column = _bytes_by_column(sink)
        shown = ", ".join(f"{k} {v / len(table):.2f}" for k, v in by_column.items())
        print(
            f"\n{name}: {sink.tell() / len(table):.2f} bytes a reading,"
            f" {len(table) / took_s:,.0f}/s ({shown})"
        )


def _column(rows: Rows, name: str) -> Any:
    count = len(rows)
    if name in ("metadata_hash", "is_sealed"):
        return np.zeros(count, np.int64 if name == "metadata_hash" else np.bool_)
    if name == "received_us":
        return np.full(count, rows.received_us)
    column = getattr(rows, {"t_us": "measured_us"}.get(name, name))
    return column.astype(np.float32) if name == "score" else column


def _bytes_by_column(sink: io.BytesIO) -> dict[str, int]:
    metadata = pq.ParquetFile(sink).metadata
    sizes: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for at in range(metadata.num_columns):
            column = metadata.row_group(group).column(at)
            name = column.path_in_schema
            sizes[name] = sizes.get(name, 0) + column.total_compressed_size
    return {name: size for name, size in sizes.items() if size > 1000}
