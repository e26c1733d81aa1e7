"""Every layout with every set of indexes keeps what it is given."""

import asyncio
from collections.abc import Callable

import asyncpg
import numpy as np
import pytest

from fleetconf import kinds
from fleetplatform import timeseries
from fleetplatform.admin import prepare_database
from fleetplatform.batch import Rows
from fleetplatform.database.pool import open_pool
from fleetplatform.errors import LayoutError, SettingsError
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries.partitions import Partitions

MakeSettings = Callable[..., PlatformSettings]
MakeRows = Callable[..., Rows]

WITH_EXTENSION = "timescale"
LAYOUTS = [
    name for name in kinds.names("fleetplatform.timeseries.layouts") if name != WITH_EXTENSION
]
INDEX_SETS = {
    "minimal": set(),
    "standard": {"brin"},
    "full": {"brin", "gin", "hour_bucket", "device_id"},
    ("device_time",): {"device_id"},
}
DAY_US = 86_400_000_000


def _varied(make_rows: MakeRows) -> Rows:
    """Readings of two months and three types, with and without each field that may be null."""
    count = 60
    number = np.arange(count)
    metadata = np.array(
        [None if i % 4 else f'{{"n": {i}, "text": "°C…"}}' for i in range(count)], dtype=np.object_
    )
    rows = make_rows(
        count,
        sensor_type=(number % 3 + 1).astype(np.int16),
        raw=np.where(number % 2, number * 2.0, np.nan),
        score=np.where(number % 5, 1.5, np.nan),
        is_anomaly=number % 7 == 0,
        quality=(number % 2).astype(np.int16),
        metadata=metadata,
    )
    rows.measured_us[30:] += 40 * DAY_US
    return rows


def test_the_layouts_are_those_of_the_configuration() -> None:
    assert LAYOUTS == ["daily", "monthly", "monthly_list", "seed", "single"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("indexes", INDEX_SETS, ids=str)
async def test_what_is_written_is_read_back(
    database_url: str,
    make_settings: MakeSettings,
    make_rows: MakeRows,
    layout: str,
    indexes: str | tuple[str, ...],
) -> None:
    """Including metadata, a month and a type without partition; nothing strays."""
    settings = make_settings(layout, indexes=indexes)
    prepared = await prepare_database(database_url, settings)
    rows = _varied(make_rows)
    pool = await open_pool(prepared.urls["iot_ingest"], settings.database, "iot_ingest")
    await Partitions().ensure(pool, rows.measured_us, rows.sensor_type)
    async with pool.acquire() as conn, conn.transaction():
        await timeseries.write(conn, rows)
    await pool.close()
    owner = await asyncpg.connect(prepared.owner_url)
    await _check_stored(owner, rows)
    assert await owner.fetch("select * from iot.stray_readings()") == []
    assert await _indexed(owner) >= INDEX_SETS[indexes]
    await owner.close()


async def _check_stored(owner: asyncpg.Connection, rows: Rows) -> None:
    stored = await owner.fetch(
        """
        select sensor_id, device_id, organization_id, sensor_type,
            (extract(epoch from measurement_timestamp) * 1000000)::bigint as measured_us,
            (extract(epoch from received_at) * 1000000)::bigint as received_us,
            measurement_value, raw_value, value_encrypted, data_quality, is_anomaly, anomaly_score,
            measurement_metadata ->> 'n' as number, measurement_metadata ->> 'text' as text
        from iot.sensor_data order by measurement_timestamp
        """
    )
    assert len(stored) == len(rows)
    for i, row in enumerate(stored):
        assert row["sensor_id"].int == int(rows.sensor_high[i]) << 64 | int(rows.sensor_low[i])
        assert row["device_id"].int == int(rows.device_high[i]) << 64 | int(rows.device_low[i])
        assert row["organization_id"].int == 9 << 64 | 1
        assert row["measured_us"] == rows.measured_us[i]
        assert row["received_us"] == rows.received_us
        assert row["measurement_value"] == rows.value[i]
        assert row["raw_value"] == (None if np.isnan(rows.raw[i]) else rows.raw[i])
        assert row["anomaly_score"] == (None if np.isnan(rows.score[i]) else rows.score[i])
        assert row["value_encrypted"] is None
        assert row["sensor_type"] == rows.sensor_type[i]
        assert row["data_quality"] == rows.quality[i]
        assert row["is_anomaly"] == rows.is_anomaly[i]
        expected = (None, None) if rows.metadata[i] is None else (str(i), "°C…")
        assert (row["number"], row["text"]) == expected


async def _indexed(owner: asyncpg.Connection) -> set[str]:
    """Key words of the table's indexes beside the unique key."""
    rows = await owner.fetch(
        "select indexdef from pg_indexes where schemaname = 'iot' and tablename = 'sensor_data'"
    )
    words = ("brin", "gin", "hour_bucket", "device_id")
    return {word for word in words for row in rows if word in row["indexdef"]}


async def test_the_seed_layout_is_the_documents(
    database_url: str, make_settings: MakeSettings
) -> None:
    """Its columns, its five indexes, the sensor/time index made unique."""
    prepared = await prepare_database(database_url, make_settings("seed"))
    owner = await asyncpg.connect(prepared.owner_url)
    rows = await owner.fetch(
        "select indexdef from pg_indexes where schemaname = 'iot' and tablename = 'sensor_data'"
    )
    await owner.close()
    definitions = {row["indexdef"].partition(" USING ")[2] for row in rows}
    assert definitions == {
        "btree (data_id, measurement_timestamp)",
        "btree (sensor_id, measurement_timestamp)",
        "btree (hour_bucket, sensor_id)",
        "btree (device_id, measurement_timestamp DESC)",
        "gin (measurement_metadata)",
        "brin (measurement_timestamp, received_at) WITH (autosummarize='on')",
    }


@pytest.mark.parametrize("again", [("daily", "standard"), ("monthly_list", "full")])
async def test_another_layout_is_refused_where_readings_are(
    database_url: str, make_settings: MakeSettings, make_rows: MakeRows, again: tuple[str, str]
) -> None:
    prepared = await prepare_database(database_url, make_settings())
    owner = await asyncpg.connect(prepared.owner_url)
    await timeseries.write(owner, make_rows(1))
    await owner.close()
    with pytest.raises(LayoutError, match="sensor_data holds readings in layout monthly_list"):
        await prepare_database(database_url, make_settings(again[0], indexes=again[1]))
    await prepare_database(database_url, make_settings())


async def test_another_layout_replaces_an_empty_one(
    database_url: str, make_settings: MakeSettings
) -> None:
    await prepare_database(database_url, make_settings())
    prepared = await prepare_database(database_url, make_settings("single"))
    owner = await asyncpg.connect(prepared.owner_url)
    assert await owner.fetchval("select kind from iot.storage_layout") == "single"
    kind = "select relkind from pg_class where relname = 'sensor_data'"
    assert await owner.fetchval(kind) == b"r"
    await owner.close()


async def test_an_index_that_does_not_exist_is_named(
    database_url: str, make_settings: MakeSettings
) -> None:
    with pytest.raises(SettingsError, match="no index 'time_hash'; there are time_brin"):
        await prepare_database(database_url, make_settings(indexes=["time_hash"]))


async def test_two_layouts_asked_for_at_once_leave_one(
    database_url: str, make_settings: MakeSettings
) -> None:
    await asyncio.gather(
        prepare_database(database_url, make_settings("daily")),
        prepare_database(database_url, make_settings("single")),
    )
    prepared = await prepare_database(database_url, make_settings("daily"))
    owner = await asyncpg.connect(prepared.owner_url)
    assert await owner.fetchval("select count(*) from iot.storage_layout") == 1
    await owner.close()
