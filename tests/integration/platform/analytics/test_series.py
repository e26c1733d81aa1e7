"""Readings asked for over HTTP."""

import math
import uuid

import numpy as np
import pytest

from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")
SECOND_US = 1_000_000
COUNT = 600


@pytest.fixture(scope="module")
async def measured(platform):
    """A tenant with ten minutes of a sine, a minute of it missing; from when it is."""
    tenant = await platform.tenant(THERMOMETER)
    begin_us = (wall_now_us() // SECOND_US - COUNT - 60) * SECOND_US
    readings = [
        {"sensor": "temperature", "t": begin_us + i * SECOND_US, "v": 20 + 5 * math.sin(i / 50)}
        for i in range(COUNT)
        if not 300 <= i < 360
    ]
    answer = await platform.post(tenant.token("t1"), readings)
    assert answer.body["accepted"] == COUNT - 60
    return tenant, begin_us


async def ask(platform, tenant, path: str, **query: object):
    words = "&".join(f"{key}={value}" for key, value in query.items())
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    return await platform.request("GET", f"{path}?{words}", headers, b"")


async def test_the_last_reading(platform, measured):
    tenant, begin_us = measured
    found = await ask(platform, tenant, f"/v1/sensors/{tenant.sensor('t1')}/last")
    assert found.status == 200
    assert found.body["t_us"] == begin_us + (COUNT - 1) * SECOND_US
    assert found.body["value"] == 20 + 5 * math.sin((COUNT - 1) / 50)
    assert (found.body["quality"], found.body["unit"]) == (0, "°C")


async def test_a_series_has_the_points_asked_for_and_its_ends(platform, measured):
    tenant, begin_us = measured
    span = {"since_us": begin_us, "until_us": begin_us + COUNT * SECOND_US}
    path = f"/v1/sensors/{tenant.sensor('t1')}/series"
    found = (await ask(platform, tenant, path, **span, points=50)).body
    assert (found["readings"], len(found["t_us"])) == (COUNT - 60, 50)
    assert found["t_us"][0] == begin_us
    assert found["t_us"][-1] == begin_us + (COUNT - 1) * SECOND_US
    whole = (await ask(platform, tenant, path, **span, points=1000)).body
    expected = [20 + 5 * math.sin(i / 50) for i in range(COUNT) if not 300 <= i < 360]
    assert whole["values"] == expected
    assert max(found["values"]) > max(expected) - 0.1


async def test_buckets_are_what_numpy_makes_of_them(platform, measured):
    tenant, begin_us = measured
    found = await ask(
        platform, tenant, f"/v1/sensors/{tenant.sensor('t1')}/buckets", since_us=begin_us,
        until_us=begin_us + COUNT * SECOND_US, width_us=60 * SECOND_US,
    )  # fmt: skip
    buckets = found.body["buckets"]
    assert [(b["start_us"] - begin_us) // (60 * SECOND_US) for b in buckets] == [
        0, 1, 2, 3, 4, 6, 7, 8, 9,
    ]  # fmt: skip
    first = np.array([20 + 5 * math.sin(i / 50) for i in range(60)])
    assert buckets[0]["count"] == 60
    assert buckets[0]["mean"] == pytest.approx(first.mean(), rel=1e-12)
    assert buckets[0]["deviation"] == pytest.approx(first.std(ddof=1), rel=1e-9)
    assert (buckets[0]["min"], buckets[0]["max"]) == (first.min(), first.max())
    assert buckets[0]["valid_share"] == 1.0


async def test_a_value_that_no_float_can_square_spoils_no_bucket(platform):
    tenant = await platform.tenant(THERMOMETER)
    begin_us = wall_now_us() - 60 * SECOND_US
    readings = [
        {"sensor": "temperature", "t": begin_us + i, "v": value}
        for i, value in enumerate((1e200, -1e200, 21.0))
    ]
    assert (await platform.post(tenant.token("t1"), readings)).body["accepted"] == 3
    found = await ask(
        platform, tenant, f"/v1/sensors/{tenant.sensor('t1')}/buckets", since_us=begin_us,
        until_us=begin_us + SECOND_US, width_us=SECOND_US,
    )  # fmt: skip
    (bucket,) = found.body["buckets"]
    assert (bucket["count"], bucket["mean"]) == (1, 21.0)


async def test_gaps_between_readings_and_at_the_ends(platform, measured):
    tenant, begin_us = measured
    found = await ask(
        platform, tenant, f"/v1/sensors/{tenant.sensor('t1')}/gaps",
        since_us=begin_us - 30 * SECOND_US, until_us=begin_us + COUNT * SECOND_US,
        longer_than_us=10 * SECOND_US,
    )  # fmt: skip
    at = [((g["start_us"] - begin_us) // SECOND_US, (g["end_us"] - begin_us) // SECOND_US)
          for g in found.body["gaps"]]  # fmt: skip
    assert at == [(-30, 0), (299, 360)]
    assert found.body["complete"]


async def test_anomalies_strongest_first(platform, measured, platform_rows):
    tenant, begin_us = measured
    marked = [(10, 4.0), (20, -9.0), (30, 5.0)]
    for second, score in marked:
        await platform_rows.execute(
            "update iot.sensor_data set is_anomaly = true, anomaly_score = $3"
            " where sensor_id = $1 and measurement_timestamp = $2",
            tenant.sensor("t1"), to_datetime(begin_us + second * SECOND_US), score,
        )  # fmt: skip
    span = {"since_us": begin_us, "until_us": begin_us + COUNT * SECOND_US}
    found = await ask(platform, tenant, "/v1/anomalies", **span, sensor_type="temperature")
    assert [one["score"] for one in found.body["anomalies"]] == [-9.0, 5.0, 4.0]
    assert found.body["anomalies"][0]["sensor_type"] == "temperature"
    none = await ask(platform, tenant, "/v1/anomalies", **span, sensor_type="pressure")
    assert none.body["anomalies"] == []


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("series", {"since_us": 5, "until_us": 5}, "invalid_span"),
        ("series", {"since_us": 9, "until_us": 5}, "invalid_span"),
        ("series", {"since_us": 0, "until_us": 9e30}, "invalid"),
        ("series", {"since_us": 0, "until_us": 5, "points": 2}, "invalid"),
        ("buckets", {"since_us": 0, "until_us": 10**12, "width_us": 1}, "too_many_buckets"),
        ("buckets", {"since_us": 0, "until_us": 10, "width_us": 0}, "invalid"),
        ("gaps", {"since_us": 0, "until_us": 10}, "invalid"),
    ],
)
async def test_impossible_questions(platform, measured, path, query, code):
    tenant, _ = measured
    found = await ask(platform, tenant, f"/v1/sensors/{tenant.sensor('t1')}/{path}", **query)
    assert (found.status, found.body["code"]) == (422, code)


async def test_more_than_31_days_of_anomalies_and_an_unknown_type(platform, measured):
    tenant, _ = measured
    long = await ask(platform, tenant, "/v1/anomalies", since_us=0, until_us=32 * 86_400_000_000)
    assert (long.status, long.body["code"]) == (422, "invalid_span")
    odd = await ask(platform, tenant, "/v1/anomalies", since_us=0, until_us=5, sensor_type="smell")
    assert odd.status == 422
    assert "temperature" in odd.body["detail"]


async def test_a_strangers_sensor_is_as_unknown_as_none(platform, measured):
    tenant, begin_us = measured
    stranger = await platform.tenant(NewDevice(serial_number="s", device_type="thermometer"))
    span = {"since_us": begin_us, "until_us": begin_us + SECOND_US}
    foreign = await ask(platform, stranger, f"/v1/sensors/{tenant.sensor('t1')}/series", **span)
    random = await ask(platform, stranger, f"/v1/sensors/{uuid.uuid4()}/series", **span)
    assert (foreign.status, foreign.body) == (404, random.body)
    silent = await ask(platform, stranger, f"/v1/sensors/{stranger.sensor('s')}/last")
    assert (silent.status, silent.body["code"]) == (404, "no_readings")
    assert (await ask(platform, stranger, "/v1/anomalies", **span)).body["anomalies"] == []


@pytest.mark.parametrize("path", ["series", "buckets", "gaps"])
async def test_ten_years_of_single_readings_are_refused_with_what_to_do(platform, measured, path):
    tenant, begin_us = measured
    found = await ask(
        platform, tenant, f"/v1/sensors/{tenant.sensor('t1')}/{path}",
        since_us=begin_us - 3_652 * 86_400_000_000, until_us=begin_us,
        width_us=86_400_000_000, longer_than_us=1,
    )  # fmt: skip
    assert (found.status, found.body["code"]) == (422, "invalid_span")
    assert "3,652 days" in found.body["detail"]
    assert "/v1/sensors/{sensor_id}/days" in found.body["detail"]
    days = await ask(
        platform, tenant, f"/v1/sensors/{tenant.sensor('t1')}/days",
        since_us=begin_us - 3_652 * 86_400_000_000, until_us=begin_us,
    )  # fmt: skip
    assert days.status == 200
