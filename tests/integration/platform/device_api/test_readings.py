"""POST /v1/readings: what is taken, what is refused, and that neighbours never suffer."""

import gzip
import math
import uuid
from datetime import UTC, datetime
from typing import Any

import asyncpg
import numpy as np
import pyarrow as pa
import pytest
import zstandard

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.readings import ARROW_SCHEMA, encode_arrow
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")
DAY_US = 86_400_000_000


def reading(sensor: Any, t: Any, v: Any, **more: Any) -> dict[str, Any]:
    return {"sensor": str(sensor), "t": t, "v": v} | more


async def stored(rows: asyncpg.Connection, sensor: uuid.UUID) -> list[tuple[int, float]]:
    """Time (µs) and value as it arrived of a sensor's rows, in order of time."""
    found = await rows.fetch(
        "select (extract(epoch from measurement_timestamp) * 1000000)::bigint,"
        " coalesce(raw_value, measurement_value) from iot.sensor_data"
        " where sensor_id = $1 order by measurement_timestamp",
        sensor,
    )
    return [tuple(row) for row in found]


def arrow(sensors: list[uuid.UUID], t_us: list[int], values: list[float]) -> bytes:
    high = np.array([s.int >> 64 for s in sensors], dtype=np.uint64)
    low = np.array([s.int & (2**64 - 1) for s in sensors], dtype=np.uint64)
    return encode_arrow(high, low, np.array(t_us, dtype=np.int64), np.array(values))


async def test_a_reading_is_stored_before_it_is_answered(platform, platform_rows):
    tenant = await platform.tenant(THERMOMETER)
    now = wall_now_us()
    answer = await platform.post(tenant.token("t1"), [reading("temperature", now, 21.5)])
    assert answer.status == 200
    assert answer.body == {"accepted": 1, "duplicates": 0, "rejected_total": 0, "rejected": []}
    assert await stored(platform_rows, tenant.sensor("t1")) == [(now, 21.5)]


async def test_every_rejection_is_named_and_its_neighbours_are_stored(
    platform, platform_rows, eventually
):
    tenant = await platform.tenant(
        THERMOMETER,
        NewDevice(serial_number="other", device_type="thermometer"),
        NewDevice(serial_number="climate", device_type="climate_v2"),
    )
    stranger = await platform.tenant(THERMOMETER)
    await platform_rows.execute(
        "update iot.sensors set sensor_status = 'inactive' where sensor_id = $1",
        tenant.sensor("climate", 1),
    )
    now = wall_now_us()
    ten_years = 3650 * DAY_US

    async def is_inactive() -> bool:
        one = [reading("humidity", now - 1, 1)]
        return (await platform.post(tenant.token("climate"), one)).body["rejected_total"] == 1

    await eventually(is_inactive)
    wrong = [
        (reading("nowhere", now, 1), "unknown_sensor"),
        (reading(uuid.uuid4(), now, 1), "unknown_sensor"),
        (reading(stranger.sensor("t1"), now, 1), "unknown_sensor"),
        (reading(tenant.sensor("other"), now, 1), "not_your_device"),
        (reading("temperature", now + 1, None), "not_a_number"),
        (reading("temperature", now + 2, "NaN"), "not_a_number"),
        (reading("temperature", now - ten_years, 1), "out_of_window"),
        (reading("temperature", now + ten_years, 1), "out_of_window"),
        (reading("temperature", 10**30, 1), "out_of_window"),
        (reading("humidity", now, 1), "sensor_inactive"),
        ({"sensor": "temperature", "v": 1}, "malformed"),
        (reading("temperature", "yesterday", 1), "malformed"),
        (reading("temperature", now, True), "malformed"),
        (reading("temperature", now, 1, m=[1]), "malformed"),
        (reading("temperature", now, 1, m={"a": "x" * 5000}), "malformed"),
        ("no reading", "malformed"),
    ]
    body: list[Any] = []
    for index, (one, _) in enumerate(wrong):
        body += [reading("temperature", now + 1000 * index, 20 + index / 4), one]
    answer = await platform.post(tenant.token("climate"), body)
    assert answer.status == 200
    assert [(one["index"], one["code"]) for one in answer.body["rejected"]] == [
        (2 * index + 1, code) for index, (_, code) in enumerate(wrong)
    ]
    assert all(one["detail"] for one in answer.body["rejected"])
    assert answer.body["accepted"] == len(wrong)
    kept = [(now + 1000 * index, 20 + index / 4) for index in range(len(wrong))]
    assert await stored(platform_rows, tenant.sensor("climate")) == kept


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
async def test_a_constant_that_is_no_number_spoils_nothing(platform, platform_rows, constant):
    tenant = await platform.tenant(THERMOMETER)
    now = wall_now_us()
    body = (
        f'{{"readings":[{{"sensor":"temperature","t":{now},"v":1.5}},'
        f'{{"sensor":"temperature","t":{now + 1},"v":{constant}}}]}}'
    )
    answer = await platform.post(tenant.token("t1"), body.encode())
    assert [one["code"] for one in answer.body["rejected"]] == ["not_a_number"]
    assert await stored(platform_rows, tenant.sensor("t1")) == [(now, 1.5)]


async def test_arrow_rejects_one_reading_at_a_time(platform, platform_rows):
    tenant = await platform.tenant(
        NewDevice(serial_number="g", device_type="gateway"),
        NewDevice(serial_number="a", device_type="thermometer", gateway="g"),
        NewDevice(serial_number="b", device_type="thermometer", gateway="g"),
        THERMOMETER,
    )
    assert tenant.devices["a"].token is None
    a, b, mine = tenant.sensor("a"), tenant.sensor("b"), tenant.sensor("t1")
    now = wall_now_us()
    cases = [
        (a, now, 1.0, None),
        (mine, now, 1.0, "not_your_device"),
        (b, now, math.nan, "not_a_number"),
        (b, now, math.inf, "not_a_number"),
        (b, now, -math.inf, "not_a_number"),
        (uuid.uuid4(), now, 1.0, "unknown_sensor"),
        (b, now - 3650 * DAY_US, 1.0, "out_of_window"),
        (b, now, -2.5, None),
    ]
    sensors, t_us, values, codes = (list(column) for column in zip(*cases, strict=True))
    answer = await platform.post_arrow(tenant.token("g"), arrow(sensors, t_us, values))
    assert answer.body["accepted"] == 2
    assert [(one["index"], one["code"]) for one in answer.body["rejected"]] == [
        (index, code) for index, code in enumerate(codes) if code
    ]
    assert await stored(platform_rows, a) == [(now, 1.0)]
    assert await stored(platform_rows, b) == [(now, -2.5)]


async def test_arrow_nulls_and_metadata(platform, platform_rows):
    tenant = await platform.tenant(THERMOMETER)
    sensor, now = tenant.sensor("t1").bytes, wall_now_us()
    schema = ARROW_SCHEMA.append(pa.field("m", pa.string()))
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    table = pa.table(
        {
            "sensor_id": pa.array([sensor, sensor, None, sensor, sensor], pa.binary(16)),
            "t": pa.array([now, now + 1, now + 2, None, now + 3], pa.timestamp("us", "UTC")),
            "v": pa.array([1.0, None, 3.0, 4.0, 5.0], pa.float64()),
            "m": pa.array(['{"k": [1, "ä"]}', None, None, None, '"no object"'], pa.string()),
        },
        schema=nullable,
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, nullable) as writer:
        for batch in table.to_batches(max_chunksize=2):
            writer.write_batch(batch)
    answer = await platform.post_arrow(tenant.token("t1"), sink.getvalue().to_pybytes())
    assert [one["code"] for one in answer.body["rejected"]] == [
        "not_a_number", "unknown_sensor", "out_of_window", "malformed",
    ]  # fmt: skip
    metadata = await platform_rows.fetchval(
        "select measurement_metadata from iot.sensor_data where sensor_id = $1",
        tenant.sensor("t1"),
    )
    assert metadata == '{"k": [1, "ä"]}'


async def test_a_reading_sent_again_is_a_duplicate_and_the_first_value_stays(
    platform, platform_rows
):
    tenant = await platform.tenant(THERMOMETER)
    now = wall_now_us()
    one = reading("temperature", now, 1.0)
    twice = await platform.post(tenant.token("t1"), [one, one])
    assert (twice.body["accepted"], twice.body["duplicates"]) == (1, 1)
    other = reading("temperature", now, 2.0)
    again = await platform.post(tenant.token("t1"), [other, reading("temperature", now + 1, 3.0)])
    assert (again.body["accepted"], again.body["duplicates"]) == (1, 1)
    assert await stored(platform_rows, tenant.sensor("t1")) == [(now, 1.0), (now + 1, 3.0)]


async def test_times_in_rfc_3339_and_sensors_by_id(platform, platform_rows):
    tenant = await platform.tenant(THERMOMETER)
    instant = datetime.now(UTC).replace(microsecond=123457)
    text = instant.isoformat().replace("+00:00", "Z")
    answer = await platform.post(tenant.token("t1"), [reading(tenant.sensor("t1"), text, -0.0)])
    assert answer.body["accepted"] == 1
    ((t_us, value),) = await stored(platform_rows, tenant.sensor("t1"))
    assert t_us == int(instant.timestamp()) * 1_000_000 + 123457
    assert math.copysign(1, value) == -1


async def test_calibration_quality_and_late_readings(platform, platform_rows):
    calibrations = (
        NewCalibration(sensor="temperature", multiplier=2, offset=1),
        NewCalibration(
            sensor="temperature", multiplier=1, offset=0, valid_from_us=wall_now_us() - DAY_US
        ),
    )
    tenant = await platform.tenant(
        NewDevice(serial_number="c", device_type="thermometer", calibrations=calibrations)
    )
    now = wall_now_us()
    old, recent = now - 2 * DAY_US, now - 1000
    await platform.post(tenant.token("c"), [reading("temperature", now, 200)])
    await platform.post(
        tenant.token("c"), [reading("temperature", old, 10), reading("temperature", recent, 11)]
    )
    rows = await platform_rows.fetch(
        "select measurement_value, raw_value, data_quality from iot.sensor_data"
        " where sensor_id = $1 order by measurement_timestamp",
        tenant.sensor("c"),
    )
    assert [tuple(row) for row in rows] == [(21.0, 10.0, 16), (11.0, None, 16), (200.0, None, 1)]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("zstd", lambda body: zstandard.compress(body))],
)
async def test_bodies_may_be_compressed(platform, platform_rows, encoding, compress):
    tenant = await platform.tenant(THERMOMETER)
    now = wall_now_us()
    times = [now + 1000 * step for step in range(500)]
    body = compress(arrow([tenant.sensor("t1")] * 500, times, [t % 7 for t in times]))
    answer = await platform.post_arrow(tenant.token("t1"), body, Content_Encoding=encoding)
    assert answer.body["accepted"] == 500
    assert await stored(platform_rows, tenant.sensor("t1")) == [(t, t % 7) for t in times]


async def test_an_empty_list_is_answered(platform):
    tenant = await platform.tenant(THERMOMETER)
    answer = await platform.post(tenant.token("t1"), [])
    assert answer.body == {"accepted": 0, "duplicates": 0, "rejected_total": 0, "rejected": []}


async def test_at_most_a_hundred_rejections_are_listed(platform):
    tenant = await platform.tenant(THERMOMETER)
    answer = await platform.post(tenant.token("t1"), [reading("nowhere", 1, 1)] * 150)
    assert answer.body["rejected_total"] == 150
    assert [one["index"] for one in answer.body["rejected"]] == list(range(100))


async def test_a_month_without_partition_gets_one(platform, platform_rows):
    """Within the window, yet far behind the partitions that the worker keeps ready."""
    tenant = await platform.tenant(THERMOMETER)
    times = sorted(wall_now_us() - months * 31 * DAY_US for months in range(12))
    sensors = [tenant.sensor("t1")] * len(times)
    body = arrow(sensors, times, [1.0] * len(times))
    answer = await platform.post_arrow(tenant.token("t1"), body)
    assert answer.body["accepted"] == len(times)
    strays = await platform_rows.fetchval("select count(*) from iot.sensor_data_default")
    assert strays == 0
