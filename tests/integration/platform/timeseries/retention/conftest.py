"""An organization with some sensors, a clock that can be set, and an account of every reading."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pyarrow.parquet as pq
import pytest

from fleetplatform import timeseries
from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.batch import Rows
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.timeseries.partitions import Partitions
from fleetplatform.timeseries.retention.steps import Limits, Swept
from fleetplatform.timeseries.retention.sweep import sweep
from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization
from fleetstorm.stack.postgres import PostgresServer

DAY = timedelta(days=1)
START = datetime(2026, 6, 1, tzinfo=UTC)
Reading = tuple[uuid.UUID, int, float]
"""Sensor, µs since 1970, value as it arrived."""


def us(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)


class Store:
    """A database of one layout with sensors, and what was ever stored in it."""

    def __init__(self, prepared: PreparedDatabase, folder: Path, owner: asyncpg.Connection) -> None:
        self.prepared = prepared
        self.folder = folder
        self.owner = owner
        self.pools: dict[str, Pool] = {}
        self.organizations: list[uuid.UUID] = []
        self.sensors: dict[tuple[int, int], list[Any]] = {}
        self.stored: Counter[Reading] = Counter()
        self.before: list[Any] = []

    async def set_clock(self, now: datetime) -> None:
        await self.owner.execute(
            "update iot.platform_clock set virtual_anchor = $1, speed = 0,"
            " wall_anchor = clock_timestamp()",
            now,
        )

    async def policy(self, keep_days: int, action: str, **scope: Any) -> None:
        scope = {"organization_id": self.organizations[0]} | scope
        names = ", ".join(scope)
        places = ", ".join(f"${n + 3}" for n in range(len(scope)))
        await self.owner.execute(
            f"insert into iot.data_retention_policies (keep_days, action, {names})"
            f" values ($1, $2, {places})",
            keep_days, action, *scope.values(),
        )  # fmt: skip

    async def write(self, sensors: list[Any], count: int, start: datetime, step: timedelta,
                    **columns: Any) -> None:  # fmt: skip
        """`count` readings of each sensor (rows of iot.sensors)."""
        of = np.repeat(np.arange(len(sensors)), count)
        ids = [sensors[at] for at in of]
        at = np.tile(np.arange(count), len(sensors))

        def half(name: str, shift: int) -> Any:
            values = [(one[name].int >> shift) & (2**64 - 1) for one in ids]
            return np.array(values, np.uint64)

        given: dict[str, Any] = {
            "sensor": of.astype(np.int32),
            "sensor_type": np.array([one["sensor_type"] for one in ids], np.int16),
            "measured_us": us(start) + at * round(step.total_seconds() * 1e6),
            "value": of * 1000.0 + at * 0.5,
            "raw": np.where(at % 3 == 0, at * 0.25, np.nan),
            "quality": (at % 2).astype(np.int16),
            "is_anomaly": at % 7 == 0,
            "score": np.where(at % 5 == 0, np.nan, 1.5),
            "metadata": None,
            "received_us": us(start) + 12345,
        }
        for name in ("sensor", "device", "organization"):
            given |= {f"{name}_high": half(f"{name}_id", 64), f"{name}_low": half(f"{name}_id", 0)}
        rows = Rows(**(given | columns))
        await Partitions().ensure(self.pools["iot_ingest"], rows.measured_us, rows.sensor_type)
        async with self.pools["iot_ingest"].acquire() as conn, conn.transaction():
            await timeseries.write(conn, rows)
        sent = np.where(np.isnan(rows.raw), rows.value, rows.raw)
        self.stored.update(
            (one["sensor_id"], int(t), float(v))
            for one, t, v in zip(ids, rows.measured_us, sent, strict=True)
        )

    async def sweep(self, on_step: Callable[[str], None] = lambda _: None, **limits: Any) -> Swept:
        """One pass on a connection of its own, which is cut off if a step raises."""
        conn = await asyncpg.connect(self.prepared.urls["iot_worker"])
        given = {"folder": self.folder, "file_rows": 500, "rows_per_s": 1e9} | limits
        try:
            return await sweep(conn, Limits(**given), on_step)
        finally:
            conn.terminate()

    async def held(self) -> Counter[Reading]:
        """Every reading that is in the table, taken out of it, or in the archive alone."""
        found: Counter[Reading] = Counter()
        tables = ["sensor_data", *[
            row[0] for row in await self.owner.fetch("select relation from iot.retired_partitions")
        ]]  # fmt: skip
        for table in tables:
            found.update(
                (row[0], us(row[1]), row[2])
                for row in await self.owner.fetch(
                    "select sensor_id, measurement_timestamp,"
                    f" coalesce(raw_value, measurement_value) from iot.{table}"
                )
            )
        for file in await self.files("dropped"):
            for row in pq.read_table(self.folder / file).to_pylist():
                sent = row["value"] if row["raw"] is None else row["raw"]
                found[uuid.UUID(bytes=row["sensor_id"]), us(row["t"]), sent] += 1
        return found

    async def files(self, *states: str) -> list[str]:
        rows = await self.owner.fetch(
            "select file from iot.archive_manifests where manifest_state = any ($1)"
            " and file is not null order by manifest_id",
            states,
        )
        return [row[0] for row in rows]

    async def expired(self) -> dict[uuid.UUID, tuple[int, int | None]]:
        rows = await self.owner.fetch(
            "select sensor_id, reading_count, readings_hash from iot.expired_readings"
        )
        return {row[0]: (row[1], None if row[2] is None else int(row[2])) for row in rows}

    async def states(self) -> Mapping[str, int]:
        rows = await self.owner.fetch(
            "select manifest_state, count(*) from iot.archive_manifests group by 1"
        )
        return {row[0]: row[1] for row in rows}


MakeStore = Callable[..., Awaitable[Store]]


@pytest.fixture
async def make_store(
    postgres: PostgresServer, template: str, tmp_path: Path, make_settings: Callable[..., Any],
    specification: Callable[[str], Any],
) -> AsyncIterator[MakeStore]:  # fmt: skip
    """Prepare a store: organizations with devices of two sensors (types 1 and 2)."""
    async with AsyncExitStack() as stack:

        async def make(layout: str = "monthly_list", tenants: int = 1, count: int = 2) -> Store:
            name = f"retention_{uuid.uuid4().hex[:12]}"
            root = await asyncpg.connect(postgres.url())
            stack.push_async_callback(root.close)
            source = template if layout == "monthly_list" else "template0"
            await root.execute(f'create database "{name}" template {source}')
            stack.push_async_callback(root.execute, f'drop database "{name}" with (force)')
            settings = make_settings(layout)
            prepared = await prepare_database(postgres.url(name), settings)
            owner = await asyncpg.connect(prepared.owner_url)
            stack.push_async_callback(owner.close)
            store = Store(prepared, tmp_path / "archive", owner)
            for role in ("iot_api", "iot_ingest", "iot_worker"):
                store.pools[role] = await open_pool(prepared.urls[role], settings.database, role)
                stack.push_async_callback(store.pools[role].close)
            await _enrol(store, specification, tenants, count)
            await store.set_clock(START)
            return store

        yield make


async def _enrol(
    store: Store, specification: Callable[[str], Any], tenants: int, count: int
) -> None:
    api = store.pools["iot_api"]
    await device_types.put(api, specification("climate_v2"))
    for tenant in range(tenants):
        made = await organizations.create(api, NewOrganization(name=f"tenant {tenant}"))
        store.organizations.append(made.organization_id)
        new = [NewDevice(serial_number=f"d{n}", device_type="climate_v2") for n in range(count)]
        await devices.enrol(api, Tenant(made.organization_id), new)
        for row in await store.owner.fetch(
            "select * from iot.sensors where organization_id = $1 order by sensor_id",
            made.organization_id,
        ):
            store.sensors.setdefault((tenant, row["sensor_type"]), []).append(row)
