"""Sensors, their calibrations and maintenance over HTTP: shown, changed, due, and to whom."""

import asyncio
import hashlib
import uuid
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice

DAY_US = 86_400_000_000
CLIMATE = NewDevice(serial_number="c1", device_type="climate_v2")
THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")
HEARD_WITHIN_S = 1.0
"""After the API's answer, the way of a notification to the directory."""


@dataclass
class Caller:
    """Somebody with a key."""

    service: Any
    key: str

    async def __call__(
        self, method: str, path: str, body: Any = None, status: int = 200, **headers: str
    ) -> Any:
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else msgspec.json.encode(body)
        answer = await self.service.request(method, f"/v1{path}", sent, content)
        assert answer.status == status, answer
        return answer.body

    async def refused(self, method: str, path: str, body: Any, status: int, code: str) -> str:
        problem = await self(method, path, body, status)
        assert problem["code"] == code
        return str(problem["detail"])


async def test_sensors_in_pages_and_by_filters(platform):
    tenant = await platform.tenant(CLIMATE, THERMOMETER)
    call = Caller(platform, tenant.api_key)
    everything = (await call("GET", "/sensors"))["sensors"]
    ids = [one["sensor_id"] for one in everything]
    assert ids == sorted(ids)
    assert {one["organization_id"] for one in everything} == {str(tenant.organization_id)}
    assert await in_pages(call, "/sensors?limit=3", "sensors") == everything
    assert await in_pages(call, "/sensors?sort=-enrolled&limit=3", "sensors") == everything[::-1]
    of_device = await call("GET", f"/sensors?device_id={tenant.devices['t1'].device_id}")
    assert [one["sensor_id"] for one in of_device["sensors"]] == [str(tenant.sensor("t1"))]
    by_type = await call("GET", "/sensors?type=humidity")
    assert [one["name"] for one in by_type["sensors"]] == ["humidity"]
    await call("PATCH", f"/sensors/{tenant.sensor('t1')}", {"status": "faulty"})
    by_status = await call("GET", "/sensors?status=faulty")
    assert [one["sensor_id"] for one in by_status["sensors"]] == [str(tenant.sensor("t1"))]
    assert "temperature" in await call.refused("GET", "/sensors?type=smell", None, 422, "invalid")
    await call.refused("GET", "/calibrations/due?sort=-due", None, 422, "invalid_sort")
    await call.refused("GET", "/sensors?status=lost", None, 422, "invalid")


async def in_pages(call: Caller, path: str, noun: str) -> list[Any]:
    """A whole list, page by page."""
    page = await call("GET", path)
    found = page[noun]
    while page["next_cursor"] is not None:
        page = await call("GET", f"{path}&cursor={page['next_cursor']}")
        found += page[noun]
    return found


async def test_a_change_goes_by_the_state_that_was_read(platform):
    tenant = await platform.tenant(THERMOMETER)
    call, path = Caller(platform, tenant.api_key), f"/sensors/{tenant.sensor('t1')}"
    first = await call("GET", path)
    assert (first["sensor_status"], first["unit"]) == ("active", "°C")
    tag = f'"{first["revision"]}"'
    second = await call("PATCH", path, {"status": "maintenance"}, If_Match=tag)
    assert second == first | {"sensor_status": "maintenance", "revision": second["revision"]}
    stale = await call("PATCH", path, {"status": "active"}, 412, If_Match=tag)
    assert stale["code"] == "stale"
    assert await call("PATCH", path, {}) == second
    assert await call("PATCH", path, {"status": "maintenance"}) == second
    await call.refused("PATCH", path, {"status": "asleep"}, 422, "invalid")
    await call.refused("PATCH", path, {"name": "x"}, 422, "invalid")


async def test_readings_of_an_active_sensor_alone_are_taken(platform, eventually):
    tenant = await platform.tenant(THERMOMETER)
    call, path = Caller(platform, tenant.api_key), f"/sensors/{tenant.sensor('t1')}"

    async def answer() -> str:
        body = [{"sensor": "temperature", "t": wall_now_us(), "v": 1}]
        receipt = (await platform.post(tenant.token("t1"), body)).body
        return receipt["rejected"][0]["code"] if receipt["rejected_total"] else "taken"

    for status in ("inactive", "faulty", "maintenance"):
        await call("PATCH", path, {"status": status})

        async def is_refused() -> bool:
            return await answer() == "sensor_inactive"

        await eventually(is_refused, HEARD_WITHIN_S)
        await call("PATCH", path, {"status": "active"})

        async def is_taken() -> bool:
            return await answer() == "taken"

        await eventually(is_taken, HEARD_WITHIN_S)


async def test_the_calibration_in_force_when_it_was_measured(platform, platform_rows, eventually):
    """Whenever it comes: late readings are calibrated as of their own time."""
    line = NewCalibration(sensor="temperature", multiplier=2.0, offset=1.0)
    tenant = await platform.tenant(
        NewDevice(serial_number="t1", device_type="thermometer", calibrations=(line,))
    )
    call, sensor = Caller(platform, tenant.api_key), tenant.sensor("t1")
    now = wall_now_us()
    curve = {"coefficients": [0, 1, 0.5, 0], "valid_from_us": now - 10 * DAY_US}
    dated = {"offset": 3.5, "valid_from_us": now - 5 * DAY_US, "due_at_us": now - 2 * DAY_US}
    words = {"performed_by": "Ada", "note": "in the bath"}
    entered = [
        await call("POST", f"/sensors/{sensor}/calibrations", one | words, 201)
        for one in (dated, curve)
    ]
    assert entered[1]["coefficients"] == [0, 1, 0.5]
    assert (entered[1]["multiplier"], entered[1]["performed_by"]) == (None, "Ada")
    assert entered[1]["actor"].startswith("api_key:")
    assert (entered[0]["multiplier"], entered[0]["offset"]) == (1.0, 3.5)
    history = (await call("GET", f"/sensors/{sensor}/calibrations"))["calibrations"]
    assert [one["valid_from_us"] for one in history] == [
        None, now - 10 * DAY_US, now - 5 * DAY_US
    ]
    assert history[0]["actor"].startswith("api_key:")
    assert history[1:] == entered[::-1]
    path = f"/sensors/{sensor}/calibrations?limit=1&sort=-valid_from"
    assert await in_pages(call, path, "calibrations") == history[::-1]
    read = await call("GET", f"/calibrations/{entered[0]['calibration_id']}")
    assert read == entered[0]
    times = [now, now - 4 * DAY_US, now - 7 * DAY_US, now - 20 * DAY_US]

    async def is_known() -> bool:
        probe = {"sensor": "temperature", "t": wall_now_us(), "v": 10}
        await platform.post(tenant.token("t1"), [probe])
        return await platform_rows.fetchval(
            "select measurement_value = 13.5 from iot.sensor_data where sensor_id = $1"
            " order by measurement_timestamp desc limit 1", sensor
        )  # fmt: skip

    await eventually(is_known, HEARD_WITHIN_S)
    body = [{"sensor": "temperature", "t": t, "v": 10} for t in times]
    assert (await platform.post(tenant.token("t1"), body)).body["accepted"] == 4
    rows = await platform_rows.fetch(
        "select measurement_value as value, data_quality & 64 as uncalibrated from iot.sensor_data"
        " where sensor_id = $1 and measurement_timestamp = any (select '1970-01-01Z'::timestamptz"
        " + us * interval '1 microsecond' from unnest($2::bigint[]) as us)"
        " order by measurement_timestamp desc", sensor, times
    )  # fmt: skip
    assert [tuple(row) for row in rows] == [(13.5, 64), (13.5, 0), (60.0, 0), (21.0, 0)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_calibration"),
        ({"multiplier": 1, "coefficients": [1, 2]}, "invalid_calibration"),
        ({"multiplier": 0}, "invalid_calibration"),
        ({"coefficients": [1]}, "invalid_calibration"),
        ({"coefficients": [1, 0, 0]}, "invalid_calibration"),
        ({"coefficients": [1, 2, 3, 4, 5, 6, 7]}, "invalid_calibration"),
        ({"offset": 1, "valid_from_us": 5, "due_at_us": 5}, "invalid_calibration"),
        ({"offset": 1, "valid_from_us": 10**18}, "invalid"),
        ({"offset": 1, "due_at_us": -(10**30)}, "invalid"),
        ({"offset": 1, "performed_by": ""}, "invalid"),
        ({"offset": 1, "note": "a\0b"}, "invalid"),
        ({"offset": 1, "note": "x" * 2001}, "invalid"),
        ({"offset": [1]}, "invalid"),
        ({"smell": 1}, "invalid"),
    ],
)
async def test_an_impossible_calibration(platform, body, code):
    tenant = await platform.tenant(THERMOMETER)
    call, path = Caller(platform, tenant.api_key), f"/sensors/{tenant.sensor('t1')}/calibrations"
    await call.refused("POST", path, body, 422, code)
    assert (await call("GET", path))["calibrations"] == []


async def test_two_calibrations_from_the_same_time(platform):
    tenant = await platform.tenant(THERMOMETER)
    call, path = Caller(platform, tenant.api_key), f"/sensors/{tenant.sensor('t1')}/calibrations"
    one = {"multiplier": 2, "valid_from_us": 5}
    answers = await asyncio.gather(
        *(call("POST", path, one, 201) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(answer, AssertionError) for answer in answers) == 3
    await call.refused("POST", path, one, 409, "calibration_exists")
    await call("POST", path, {"offset": 2}, 201)
    await call.refused("POST", path, {"offset": 3}, 409, "calibration_exists")
    page = await call("GET", f"{path}?limit=1")
    rest = await call("GET", f"{path}?cursor={page['next_cursor']}")
    times = [one["valid_from_us"] for one in (*page["calibrations"], *rest["calibrations"])]
    assert times == [None, 5]
    await call.refused("GET", f"{path}?cursor=abc", None, 422, "invalid_cursor")


async def test_what_is_due_comes_soonest_first(platform):
    tenant = await platform.tenant(CLIMATE, THERMOMETER)
    call = Caller(platform, tenant.api_key)
    sensors = [*tenant.devices["c1"].sensor_ids, tenant.sensor("t1")]
    for number, sensor in enumerate(sensors):
        one = {"offset": 1, "valid_from_us": 0, "due_at_us": (10 - number) * DAY_US}
        await call("POST", f"/sensors/{sensor}/calibrations", one, 201)
    found, cursor = [], ""
    while cursor is not None:
        query = f"before={10 * DAY_US}&limit=2{cursor and '&cursor=' + cursor}"
        page = await call("GET", f"/calibrations/due?{query}")
        found += [one["sensor_id"] for one in page["calibrations"]]
        cursor = page["next_cursor"]
    assert found == [str(one) for one in sensors[:0:-1]]
    assert len((await call("GET", "/calibrations/due"))["calibrations"]) == len(sensors)
    late = await call("GET", f"/sensors?calibration_due_before={8 * DAY_US}")
    assert [one["sensor_id"] for one in late["sensors"]] == [str(sensors[-1])]
    await call(
        "POST", f"/sensors/{sensors[-1]}/calibrations", {"offset": 2, "valid_from_us": DAY_US}, 201
    )
    page = await call("GET", f"/calibrations/due?before={10 * DAY_US}")
    assert [one["sensor_id"] for one in page["calibrations"]] == [str(s) for s in sensors[2:0:-1]]


async def test_maintenance_records_and_what_is_due(platform):
    tenant = await platform.tenant(CLIMATE, THERMOMETER)
    call = Caller(platform, tenant.api_key)
    ids = {name: str(one.device_id) for name, one in tenant.devices.items()}
    made = [
        await call("POST", "/maintenance", {
            "device_id": ids[name], "kind": kind, "performed_at_us": day * DAY_US,
            "performed_by": "Bo", "next_due_at_us": due and due * DAY_US,
        }, 201)
        for name, kind, day, due in (
            ("c1", "cleaning", 1, 9), ("t1", "cleaning", 2, 5), ("c1", "battery", 3, 7),
            ("c1", "cleaning", 4, 30),
        )
    ]  # fmt: skip
    assert await in_pages(call, "/maintenance?limit=3", "maintenance") == made
    path = "/maintenance?limit=1&sort=-performed"
    assert await in_pages(call, path, "maintenance") == made[::-1]
    of_one = await call("GET", f"/maintenance?device_id={ids['c1']}")
    assert of_one["maintenance"] == [made[0], *made[2:]]
    due = await call("GET", f"/maintenance/due?before={20 * DAY_US}")
    assert due["maintenance"] == [made[1], made[2]]
    first = await call("GET", f"/maintenance/due?before={20 * DAY_US}&limit=1")
    second = await call(
        "GET", f"/maintenance/due?before={20 * DAY_US}&cursor={first['next_cursor']}"
    )
    assert second["maintenance"] == [made[2]]
    path = f"/maintenance/{made[2]['maintenance_id']}"
    tag = f'"{made[2]["revision"]}"'
    changed = await call("PATCH", path, {"next_due_at_us": None, "note": "new"}, If_Match=tag)
    expected = {"next_due_at_us": None, "note": "new", "revision": changed["revision"]}
    assert changed == made[2] | expected == await call("GET", path)
    assert (await call("PATCH", path, {"kind": "x"}, 412, If_Match=tag))["code"] == "stale"
    due = await call("GET", f"/maintenance/due?before={20 * DAY_US}")
    assert due["maintenance"] == [made[1]]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ""}, {"kind": "x" * 101}, {"performed_by": "\0"}, {"note": ""},
        {"performed_at_us": 10**18}, {"performed_at_us": None}, {"next_due_at_us": 4},
        {"next_due_at_us": 10**40}, {"smell": 1},
    ],
)  # fmt: skip
async def test_an_impossible_maintenance_record(platform, change):
    tenant = await platform.tenant(THERMOMETER)
    call = Caller(platform, tenant.api_key)
    good = {
        "device_id": str(tenant.devices["t1"].device_id), "kind": "cleaning", "performed_at_us": 5
    }  # fmt: skip
    await call.refused("POST", "/maintenance", good | change, 422, "invalid")
    made = await call("POST", "/maintenance", good, 201)
    path = f"/maintenance/{made['maintenance_id']}"
    await call.refused("PATCH", path, change, 422, "invalid")
    assert await call("GET", path) == made


async def test_a_job_is_accepted_and_shown(platform):
    tenant = await platform.tenant(THERMOMETER)
    call, path = Caller(platform, tenant.api_key), f"/sensors/{tenant.sensor('t1')}/reprocess"
    job = await call("POST", path, {"from_us": 0, "to_us": 5}, 202)
    assert (job["state"], job["rows_done"], job["from_us"], job["to_us"]) == ("waiting", 0, 0, 5)
    assert (await call("GET", f"/reprocessing/{job['job_id']}"))["sensor_id"] == job["sensor_id"]
    for from_us, to_us in ((5, 5), (6, 5), (0, 10**20), (-(10**20), 0)):
        body = {"from_us": from_us, "to_us": to_us}
        await call.refused("POST", path, body, 422, "invalid_interval")


async def test_what_is_anothers_is_not_there(platform):
    """The same answer for what another tenant has and what nobody has."""
    mine, other = await platform.tenant(THERMOMETER), await platform.tenant(THERMOMETER)
    own, foreign = Caller(platform, mine.api_key), Caller(platform, other.api_key)
    sensor, device = mine.sensor("t1"), str(mine.devices["t1"].device_id)
    calibration = await own("POST", f"/sensors/{sensor}/calibrations", {
        "offset": 1, "valid_from_us": 0, "due_at_us": 1}, 201)  # fmt: skip
    new = {"device_id": device, "kind": "k", "performed_at_us": 0, "next_due_at_us": 1}
    record = await own("POST", "/maintenance", new, 201)
    job = await own("POST", f"/sensors/{sensor}/reprocess", {"from_us": 0, "to_us": 5}, 202)
    tries: list[tuple[str, str, str, Any]] = [
        ("GET", "/sensors/{}", str(sensor), None),
        ("PATCH", "/sensors/{}", str(sensor), {"status": "faulty"}),
        ("GET", "/sensors/{}/calibrations", str(sensor), None),
        ("POST", "/sensors/{}/calibrations", str(sensor), {"offset": 2}),
        ("POST", "/sensors/{}/reprocess", str(sensor), {"from_us": 0, "to_us": 5}),
        ("GET", "/calibrations/{}", calibration["calibration_id"], None),
        ("GET", "/maintenance/{}", record["maintenance_id"], None),
        ("PATCH", "/maintenance/{}", record["maintenance_id"], {"kind": "x"}),
        ("GET", "/reprocessing/{}", job["job_id"], None),
    ]
    for method, path, known, body in tries:
        said = [
            await foreign.refused(method, path.format(one), body, 404, "not_found")
            for one in (known, uuid.uuid4())
        ]
        assert said[0] == said[1]
    body = {"device_id": device, "kind": "k", "performed_at_us": 0}
    await foreign.refused("POST", "/maintenance", body, 404, "not_found")
    assert (await foreign("GET", "/calibrations/due"))["calibrations"] == []
    assert (await foreign("GET", f"/maintenance?device_id={device}"))["maintenance"] == []
    assert (await foreign("GET", f"/sensors?device_id={device}"))["sensors"] == []
    assert (await own("GET", f"/sensors/{sensor}"))["sensor_status"] == "active"


async def test_a_viewer_of_a_group_sees_the_group_and_changes_nothing(platform, platform_rows):
    tenant = await platform.tenant(CLIMATE, THERMOMETER)
    own = Caller(platform, tenant.api_key)
    for name in ("c1", "t1"):
        path = f"/sensors/{tenant.sensor(name)}"
        await own("POST", f"{path}/calibrations", {"offset": 1, "due_at_us": 1}, 201)
        await own("POST", "/maintenance", {
            "device_id": str(tenant.devices[name].device_id), "kind": "k", "performed_at_us": 0,
            "next_due_at_us": 1}, 201)  # fmt: skip
    viewer = Caller(platform, await viewer_of(platform_rows, tenant, "t1"))
    sensor = str(tenant.sensor("t1"))
    assert [s["sensor_id"] for s in (await viewer("GET", "/sensors"))["sensors"]] == [sensor]
    due = (await viewer("GET", "/calibrations/due"))["calibrations"]
    assert [one["sensor_id"] for one in due] == [sensor]
    device = str(tenant.devices["t1"].device_id)
    for path in ("/maintenance", "/maintenance/due"):
        assert [m["device_id"] for m in (await viewer("GET", path))["maintenance"]] == [device]
    hidden = tenant.sensor("c1")
    await viewer.refused("GET", f"/sensors/{hidden}/calibrations", None, 404, "not_found")
    for method, path, body in (
        ("PATCH", "", {"status": "faulty"}), ("POST", "/calibrations", {"offset": 1}),
        ("POST", "/reprocess", {"from_us": 0, "to_us": 1}),
    ):  # fmt: skip
        await viewer.refused(method, f"/sensors/{sensor}{path}", body, 403, "forbidden")


async def viewer_of(rows: Any, tenant: Any, serial: str) -> str:
    """A token of somebody to whom one device is shared."""
    token, own = uuid.uuid4().hex, tenant.organization_id
    user, group, shared = (uuid.uuid4() for _ in range(3))
    statements: list[tuple[str, tuple[Any, ...]]] = [
        ("iot.users (organization_id, user_id, name, role, sees_all) values"
         " ($1, $2, 'v', 'viewer', false)", (user,)),
        ("iot.user_groups (organization_id, user_group_id, name) values ($1, $2, 'g')", (group,)),
        ("iot.user_group_members (organization_id, user_id, user_group_id) values ($1, $2, $3)",
         (user, group)),
        ("iot.device_groups (organization_id, group_id, name, kind) values"
         " ($1, $2, 's', 'static')", (shared,)),
        ("iot.device_group_members (organization_id, group_id, device_id) values ($1, $2, $3)",
         (shared, tenant.devices[serial].device_id)),
        ("iot.device_group_shares (organization_id, user_group_id, group_id) values ($1, $2, $3)",
         (group, shared)),
        ("iot.api_keys (organization_id, user_id, token_sha256, role) values"
         " ($1, $2, $3, 'viewer')", (user, hashlib.sha256(token.encode()).digest())),
    ]  # fmt: skip
    for text, values in statements:
        await rows.execute(f"insert into {text}", own, *values)
    return token
