"""Readings taken away in each format: all of them once, and nobody else's."""

import csv
import io
import uuid

import pyarrow as pa
import pyarrow.parquet
import pytest

from fleetplatform.analytics import export
from fleetplatform.analytics.archived import Archived
from fleetplatform.analytics.choice import Choice, Span
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice

SECOND_US = 1_000_000
COUNT = 50
DEVICES = (
    NewDevice(
        serial_number="a",
        device_type="climate_v2",
        calibrations=(NewCalibration(sensor="temperature", multiplier=2, offset=1),),
    ),
    NewDevice(serial_number="b", device_type="thermometer"),
)

NOTHING = Archived((), None)


@pytest.fixture(scope="module")
async def measured(platform):
    """A tenant with readings of two devices, and the span they are in."""
    tenant = await platform.tenant(*DEVICES)
    begin_us = (wall_now_us() // SECOND_US - COUNT) * SECOND_US
    for serial, sensors in {"a": ("temperature", "humidity"), "b": ("temperature",)}.items():
        readings = [
            {"sensor": sensor, "t": begin_us + i * SECOND_US, "v": 10.0 + i / 8}
            for sensor in sensors
            for i in range(COUNT)
        ]
        assert (await platform.post(tenant.token(serial), readings)).body["accepted"]
    return tenant, Span(begin_us, begin_us + COUNT * SECOND_US)


async def ask(platform, key: str, span: Span, **query: object):
    words = "&".join(f"{name}={value}" for name, value in query.items())
    path = f"/v1/export?since_us={span.since_us}&until_us={span.until_us}&{words}"
    return await platform.request("GET", path, {"Authorization": f"Bearer {key}"}, b"")


async def test_the_three_formats_say_the_same(platform, measured):
    tenant, span = measured
    arrow = await ask(platform, tenant.api_key, span)
    table = pa.ipc.open_stream(arrow.body).read_all()
    assert table.num_rows == 3 * COUNT
    parquet = await ask(platform, tenant.api_key, span, format="parquet")
    assert pyarrow.parquet.read_table(io.BytesIO(parquet.body)).to_pylist() == table.to_pylist()
    text = await ask(platform, tenant.api_key, span, format="csv")
    assert text.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(text.body.decode())))
    assert [uuid.UUID(row["sensor_id"]).bytes for row in rows] == table["sensor_id"].to_pylist()
    assert [float(row["value"]) for row in rows] == table["value"].to_pylist()


async def test_a_calibrated_reading_carries_what_arrived(platform, measured):
    tenant, span = measured
    answer = await ask(platform, tenant.api_key, span, sensor_id=tenant.sensor("a"))
    rows = pa.ipc.open_stream(answer.body).read_all().to_pylist()
    assert [row["raw"] for row in rows] == [10.0 + i / 8 for i in range(COUNT)]
    assert [row["value"] for row in rows] == [2 * row["raw"] + 1 for row in rows]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({"device_id": "a"}, 2 * COUNT),
        ({"device_id": "b"}, COUNT),
        ({"sensor_type": "humidity"}, COUNT),
        ({"group_id": uuid.UUID(int=7)}, 0),
    ],
)
async def test_a_part_of_them(platform, measured, query, rows):
    tenant, span = measured
    if "device_id" in query:
        query = {"device_id": tenant.devices[query["device_id"]].device_id}
    answer = await ask(platform, tenant.api_key, span, **query)
    assert pa.ipc.open_stream(answer.body).read_all().num_rows == rows


async def test_any_number_of_batches_has_every_reading_once(
    platform, measured, platform_rows, monkeypatch
):
    tenant, span = measured
    monkeypatch.setattr(export, "BATCH_ROWS", 7)
    settings = platform.settings
    pool = await open_pool(
        settings.database_urls["iot_api"], settings.platform.database, "iot_api"
    )
    try:
        member = Tenant(tenant.organization_id)
        found = [b async for b in export.batches(pool, member, span, Choice(), NOTHING)]
    finally:
        await pool.close()
    assert {batch.num_rows for batch in found[:-1]} == {7}
    table = pa.Table.from_batches(found)
    pairs = list(zip(table["sensor_id"].to_pylist(), table["t"].to_pylist(), strict=True))
    assert len(set(pairs)) == len(pairs) == 3 * COUNT


async def test_a_stranger_takes_nothing_and_a_bad_span_is_refused(platform, measured):
    tenant, span = measured
    stranger = await platform.tenant()
    answer = await ask(platform, stranger.api_key, span, sensor_id=tenant.sensor("a"))
    assert pa.ipc.open_stream(answer.body).read_all().num_rows == 0
    path = "/v1/export?since_us=5&until_us=5"
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    refused = await platform.request("GET", path, headers, b"")
    assert (refused.status, refused.body["code"]) == (422, "invalid_span")
