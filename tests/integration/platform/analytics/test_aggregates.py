"""Hours of many sensors put together, beside numpy on the values that they were made of."""

import functools
import uuid
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from fleetplatform.analytics import aggregates
from fleetplatform.analytics.aggregates import Choice, group_last
from fleetplatform.analytics.choice import Span
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.errors import InvalidError, NotFoundError
from fleetplatform.registry.places import whereabouts
from fleetplatform.timeseries.instants import to_datetime
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.device_type import SensorType
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.devices import NewDevice

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
JUNE_US = 1_780_272_000_000_000
"""2026-06-01T00:00:00Z."""
HOURS = 50
SEED = 5
DEVICES = {"a": "thermometer", "b": "climate_v2", "c": "climate_v2"}
PLACES = {"a": (10.0, 10.0), "b": (10.01, 10.0), "c": (-40.0, 179.0)}
GROUPS = {"north": ("a", "b"), "all": ("a", "b", "c")}
ADD_GROUP = """
with made as (
    insert into iot.device_groups (organization_id, name, kind)
    values ($1, $2, 'static') returning *
), member as (
    insert into iot.device_group_members (organization_id, group_id, device_id)
    select organization_id, group_id, unnest($3::uuid[]) from made
)
select group_id from made
"""
ADD_HOUR = """
insert into iot.sensor_hourly_aggregates (
    organization_id, sensor_id, device_id, hour_start, reading_count, mean_value, min_value,
    max_value, sum_squared_deviations, valid_count, anomaly_count
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


class World:
    """A tenant with hours of three devices in two groups; `values` by sensor and hour."""

    def __init__(self, platform: Any, tenant: Any, pool: Any) -> None:
        self.platform, self.tenant, self.pool = platform, tenant, pool
        self.mine = Tenant(tenant.organization_id)
        self.device = {name: one.device_id for name, one in tenant.devices.items()}
        self.sensors: dict[uuid.UUID, tuple[str, str]] = {}
        self.values: dict[tuple[uuid.UUID, int], np.ndarray] = {}
        self.group: dict[str, uuid.UUID] = {}
        self.geofence: uuid.UUID | None = None

    async def ask(self, path: str, key: str | None = None, **query: object):
        words = "&".join(f"{name}={value}" for name, value in query.items())
        headers = {"Authorization": f"Bearer {key or self.tenant.api_key}"}
        return await self.platform.request("GET", f"/v1/{path}?{words}", headers, b"")

    def expected(self, sensors: list[uuid.UUID], width_us: int, until_us: int) -> dict[int, Any]:
        """Bucket → (count, mean, min, max, deviation)."""
        found = defaultdict(list)
        for (sensor, hour_us), values in self.values.items():
            if sensor in sensors and hour_us < until_us:
                found[hour_us // width_us * width_us].append(values)
        return {start: _facts(np.concatenate(parts)) for start, parts in sorted(found.items())}


def _facts(values: np.ndarray) -> tuple[float, ...]:
    deviation = values.std(ddof=1) if len(values) > 1 else 0.0
    return len(values), values.mean(), values.min(), values.max(), deviation


@pytest.fixture(scope="module")
async def world(platform, platform_rows, make_settings):
    new = [NewDevice(serial_number=n, device_type=kind) for n, kind in DEVICES.items()]
    tenant = await platform.tenant(*new)
    pool = await open_pool(
        platform.settings.database_urls["iot_api"], make_settings().database, "iot_api"
    )
    made = World(platform, tenant, pool)
    await _fill(made, platform_rows)
    await _place(made)
    yield made
    await pool.close()


async def _fill(made: World, rows: Any) -> None:
    random = np.random.default_rng(SEED)
    organization = made.tenant.organization_id
    for name, device in made.device.items():
        for sensor in await rows.fetch("select * from iot.sensors where device_id = $1", device):
            made.sensors[sensor["sensor_id"]] = name, SensorType(sensor["sensor_type"]).label
    for sensor, (name, _) in made.sensors.items():
        for hour in range(HOURS):
            if random.random() < 0.2:
                continue
            # Far from zero and close together: sums of squares alone would not do.
            values = 1e8 + random.normal(hour, 2, random.integers(1, 9))
            at_us, count = JUNE_US + hour * HOUR_US, len(values)
            made.values[sensor, at_us] = values
            await rows.execute(
                ADD_HOUR, organization, sensor, made.device[name], to_datetime(at_us), count,
                values.mean(), values.min(), values.max(), values.var() * count, count, 1,
            )  # fmt: skip
    for name, members in GROUPS.items():
        devices = [made.device[one] for one in members]
        made.group[name] = await rows.fetchval(ADD_GROUP, organization, name, devices)


async def _place(made: World) -> None:
    headers = {"Authorization": f"Bearer {made.tenant.api_key}", "Content-Type": "application/json"}
    for name, (latitude, longitude) in PLACES.items():
        body = b'{"latitude": %f, "longitude": %f}' % (latitude, longitude)
        path = f"/v1/devices/{made.device[name]}/location"
        assert (await made.platform.request("PUT", path, headers, body)).status == 200
    corners = b"[[-41, 178], [-41, -178], [-39, -178], [-39, 178]]"

    body = b'{"name": "east", "shape": {"polygon": %s}}' % corners
    answer = await made.platform.request("POST", "/v1/geofences", headers, body)
    assert answer.status == 201, answer.body
    made.geofence = uuid.UUID(answer.body["geofence_id"])


def check(made: World, series: Any, sensors: list[uuid.UUID], width_us: int, until_us: int) -> None:
    expected = made.expected(sensors, width_us, until_us)
    assert [one.start_us for one in series.buckets] == list(expected)
    for one, facts in zip(series.buckets, expected.values(), strict=True):
        found = (one.count, one.mean, one.min, one.max, one.deviation)
        assert found == pytest.approx(facts, rel=1e-9, abs=1e-6)
        assert (one.valid_share, one.anomalies > 0) == (1.0, True)


@pytest.mark.parametrize("width", ["hour", "day"])
@pytest.mark.parametrize("by", ["device", "group", "device_type", "sensor_type", "organization"])
async def test_each_series_is_what_its_readings_make(world: World, by: str, width: str) -> None:
    until_us = JUNE_US + 43 * HOUR_US
    found = await aggregates.read(world.pool, world.mine, Span(0, until_us), Choice(), by, width)
    members = {
        "device": {name: [name] for name in DEVICES},
        "group": {name: list(of) for name, of in GROUPS.items()},
        "device_type": {"thermometer": ["a"], "climate_v2": ["b", "c"]},
        "sensor_type": {None: list(DEVICES)},
    }.get(by)
    if members is None:
        members = {found.series[0].name: list(DEVICES)}
    expected = {
        (key, kind): [s for s, (name, label) in world.sensors.items()
                      if name in names and label == kind]
        for key, names in members.items()
        for kind in {label for name, label in world.sensors.values() if name in names}
    }  # fmt: skip
    assert {(one.name, one.sensor_type) for one in found.series} == expected.keys()
    width_us = {"hour": HOUR_US, "day": DAY_US}[width]
    for one in found.series:
        check(world, one, expected[one.name, one.sensor_type], width_us, until_us)


async def _shown(world: World, **choice: Any) -> set[str]:
    """Names of the devices that a choice leaves."""
    found = await aggregates.read(
        world.pool, choice.pop("tenant", world.mine), Span(JUNE_US, JUNE_US + 60 * HOUR_US),
        Choice(**choice), "device", "month",
    )  # fmt: skip
    return {one.name for one in found.series}


async def test_what_is_chosen(world: World) -> None:
    circle = whereabouts.circle(10.0, 10.0, 5_000.0)
    chosen = {
        "": await _shown(world),
        "group": await _shown(world, group_id=world.group["north"]),
        "device": await _shown(world, device_id=world.device["c"]),
        "type": await _shown(world, device_type="thermometer"),
        "no type": await _shown(world, device_type="none"),
        "circle": await _shown(world, area=circle),
        "box": await _shown(world, area=whereabouts.box(-41.0, 170.0, -30.0, -170.0)),
        "geofence": await _shown(world, geofence_id=world.geofence),
        "organization": await _shown(world, organization_id=world.tenant.organization_id),
        "both": await _shown(world, area=circle, device_type="climate_v2"),
    }
    assert chosen == {
        "": {"a", "b", "c"}, "group": {"a", "b"}, "device": {"c"}, "type": {"a"}, "no type": set(),
        "circle": {"a", "b"}, "box": {"c"}, "geofence": {"c"}, "organization": {"a", "b", "c"},
        "both": {"b"},
    }  # fmt: skip


async def test_who_is_limited_to_groups_sees_only_theirs(world: World) -> None:
    """In every way of asking; a stranger sees nothing."""
    limited = Tenant(world.tenant.organization_id, device_groups=(world.group["north"],))
    assert await _shown(world, tenant=limited) == {"a", "b"}
    assert await _shown(world, tenant=limited, area=whereabouts.box(-90, -180, 90, 180)) == {
        "a", "b"
    }  # fmt: skip
    assert await _shown(world, tenant=limited, geofence_id=world.geofence) == set()
    for foreign in ({"device_id": world.device["c"]}, {"group_id": world.group["all"]}):
        with pytest.raises(NotFoundError):
            await _shown(world, tenant=limited, **foreign)
    page, now_us = Page(100, "sensor_id"), wall_now_us()
    ask = functools.partial(group_last.read, world.pool, limited)
    mine = await ask(world.group["north"], now_us, DAY_US, page)
    assert {one.serial_number for one in mine.readings} == {"a", "b"}
    with pytest.raises(NotFoundError):
        await ask(world.group["all"], now_us, DAY_US, page)
    stranger = Tenant(uuid.uuid4())
    assert await _shown(world, tenant=stranger) == set()
    for name in ("device_id", "group_id", "geofence_id", "organization_id"):
        with pytest.raises(NotFoundError):
            await _shown(world, **{name: uuid.uuid4()})
    for foreign in ({"device_id": world.device["c"]}, {"geofence_id": world.geofence}):
        with pytest.raises(NotFoundError):
            await _shown(world, tenant=stranger, **foreign)


async def test_a_question_is_bounded(world: World, monkeypatch) -> None:
    monkeypatch.setattr(aggregates, "HOURS_MAX", 30)
    with pytest.raises(InvalidError, match="30 hours of sensors") as refused:
        await _shown(world)
    assert refused.value.code == "too_many_hours"
    monkeypatch.setattr(aggregates, "HOURS_MAX", 10_000)
    monkeypatch.setattr(aggregates, "BUCKETS_MAX", 4)
    with pytest.raises(InvalidError, match="more than 4 buckets"):
        await _shown(world)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"by": "place"}, "invalid_area"),
        ({"by": "place", "near": "1,1"}, "invalid_area"),
        ({"by": "colour"}, "invalid"),
        ({"near": "95,1", "radius": 5}, "invalid_area"),
        ({"sensor_type": "smell"}, "invalid"),
        ({"device_type": "%00"}, "invalid"),
        ({"until_us": 1}, "invalid_span"),
        ({"box": "1,1,2,2", "geofence_id": uuid.UUID(int=1)}, "invalid_area"),
    ],
)
async def test_impossible_questions(world: World, query: dict[str, Any], code: str) -> None:
    span = {"since_us": JUNE_US, "until_us": JUNE_US + DAY_US}
    found = await world.ask("aggregates", **(span | query))
    assert (found.status, found.body["code"]) == (422, code)


async def test_over_http_a_place_is_one_series(world: World) -> None:
    found = await world.ask(
        "aggregates", since_us=JUNE_US, until_us=JUNE_US + DAY_US, by="place", near="10,10",
        radius=5000, sensor_type="temperature", width="day",
    )  # fmt: skip
    assert found.status == 200
    (series,) = found.body["series"]
    assert (series["id"], series["name"], series["sensor_type"]) == (None, None, "temperature")
    (bucket,) = series["buckets"]
    near = (("a", "temperature"), ("b", "temperature"))
    sensors = [sensor for sensor, told in world.sensors.items() if told in near]
    assert bucket["count"] == world.expected(sensors, DAY_US, JUNE_US + DAY_US)[JUNE_US][0]


async def test_the_last_values_of_a_group(world: World) -> None:
    """Page by page, each sensor once, with its newest reading or none."""
    now_us = wall_now_us()
    readings = [{"sensor": "temperature", "t": now_us - n * 1_000_000, "v": 20.0 + n}
                for n in range(3)]  # fmt: skip
    answer = await world.platform.post(world.tenant.token("a"), readings)
    assert answer.body["accepted"] == 3
    path, shown, cursor = f"device-groups/{world.group['north']}/last", [], None
    while True:
        page = {} if cursor is None else {"cursor": cursor}
        found = await world.ask(path, limit=2, **page)
        assert found.status == 200, found.body
        shown += found.body["readings"]
        cursor = found.body["next_cursor"]
        if cursor is None:
            break
    expected = {str(s) for s, (name, _) in world.sensors.items() if name in ("a", "b")}
    assert sorted(expected) == [one["sensor_id"] for one in shown]
    measured = {one["sensor_id"]: (one["t_us"], one["value"], one["quality"]) for one in shown
                if one["t_us"] is not None}  # fmt: skip
    assert measured == {str(world.tenant.sensor("a")): (now_us, 20.0, 0)}
    old = await world.ask(path, within_us=1)
    assert {one["sensor_id"] for one in old.body["readings"]} == expected
    foreign = await world.ask(f"device-groups/{uuid.uuid4()}/last")
    assert (foreign.status, foreign.body["code"]) == (404, "not_found")


async def test_anomalies_of_a_group_or_a_device(world: World, platform_rows) -> None:
    at_us = wall_now_us() - 3_000_000
    for name, score in (("a", 3.5), ("b", -4.5), ("c", 4.0)):
        answer = await world.platform.post(
            world.tenant.token(name), [{"sensor": "temperature", "t": at_us, "v": 1.0}]
        )
        assert answer.body["accepted"] == 1
        await platform_rows.execute(
            "update iot.sensor_data set is_anomaly = true, anomaly_score = $3"
            " where device_id = $1 and measurement_timestamp = $2",
            world.device[name], to_datetime(at_us), score,
        )  # fmt: skip
    span = {"since_us": at_us, "until_us": at_us + 1}
    asked = {
        "all": {}, "group": {"group_id": world.group["north"]},
        "device": {"device_id": world.device["c"]}, "first": {"limit": 1},
        "organization": {"organization_id": world.tenant.organization_id},
        "none": {"organization_id": uuid.uuid4()},
    }  # fmt: skip
    found = {name: (await world.ask("anomalies", **span, **one)).body["anomalies"]
             for name, one in asked.items()}  # fmt: skip
    assert {name: [one["score"] for one in rows] for name, rows in found.items()} == {
        "all": [-4.5, 4.0, 3.5], "group": [-4.5, 3.5], "device": [4.0], "first": [-4.5],
        "organization": [-4.5, 4.0, 3.5], "none": [],
    }  # fmt: skip
