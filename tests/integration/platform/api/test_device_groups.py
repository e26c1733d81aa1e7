"""Groups of devices and what is said of a device, over HTTP."""

import uuid
from typing import Any

import msgspec
import pytest

from fleetplatform.client import ApiError, Client
from fleetplatform.wire.resources.device_groups import DeviceGroupChange
from fleetplatform.wire.resources.devices import DeviceChange, NewDevice, NewDevices

DEVICES = tuple(
    NewDevice(serial_number=f"d{n}", device_type="thermometer", tags=("roof",)[: n % 2])
    for n in range(4)
)


async def refused(call: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value


async def send(
    platform: Any, tenant: Any, method: str, path: str, body: Any = None, **headers: str
) -> Any:
    sent = {"Authorization": f"Bearer {tenant.api_key}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = b"" if body is None else msgspec.json.encode(body)
    return await platform.request(method, f"/v1/{path}", sent, content)


def serials(devices: Any) -> list[str]:
    return [one.serial_number for one in devices.devices]


async def test_a_dynamic_group_obeys_before_the_change_is_answered(platform):
    tenant = await platform.tenant(*DEVICES)
    client = Client(platform.url, tenant.api_key)
    group = await client.create_device_group("roof", "dynamic", {"tags": "roof"})
    assert serials(await client.group_devices(group.group_id)) == ["d1", "d3"]
    device = tenant.devices["d0"].device_id
    changed = await client.change_device(device, DeviceChange(tags=("roof", "north")))
    assert changed.tags == ("north", "roof")
    assert serials(await client.group_devices(group.group_id)) == ["d0", "d1", "d3"]
    await client.move_device(device, "suspended", "unpaid")
    rule = {"all": [{"tags": "roof"}, {"not": {"status": "suspended"}}]}
    again = await client.change_device_group(group.group_id, DeviceGroupChange(rule=rule))
    assert (again.rule, again.name, again.revision > group.revision) == (rule, "roof", True)
    assert serials(await client.group_devices(group.group_id)) == ["d1", "d3"]
    await platform.enrol(
        tenant, NewDevice(serial_number="d9", device_type="thermometer", tags=("roof",))
    )
    assert serials(await client.group_devices(group.group_id)) == ["d1", "d3", "d9"]


async def test_members_of_a_static_group_are_named(platform):
    tenant, other = await platform.tenant(*DEVICES), await platform.tenant(DEVICES[0])
    client = Client(platform.url, tenant.api_key)
    group = (await client.create_device_group("mine", "static")).group_id
    ids = [tenant.devices[f"d{n}"].device_id for n in range(4)]
    assert (await client.add_members(group, [*ids[:2], ids[0]])).added == 2
    foreign = other.devices["d0"].device_id
    for wrong in (foreign, uuid.uuid4()):
        error = await refused(client.add_members(group, [ids[2], wrong]))
        assert (error.status, error.code) == (404, "not_found")
        answer = await send(platform, tenant, "PUT", f"device-groups/{group}/members/{wrong}")
        assert answer.status == 404
    assert serials(await client.group_devices(group)) == ["d0", "d1"]
    for method, expected in (("PUT", ["d0", "d1", "d3"]), ("DELETE", ["d0", "d1"])):
        for _ in range(2):
            answer = await send(platform, tenant, method, f"device-groups/{group}/members/{ids[3]}")
            assert answer.status == 204
            assert serials(await client.group_devices(group)) == expected
    found = await send(platform, tenant, "GET", f"devices?group={group}&serial=d1")
    assert [one["serial_number"] for one in found.body["devices"]] == ["d1"]


async def test_nobody_names_members_of_a_dynamic_group(platform):
    tenant = await platform.tenant(*DEVICES)
    client = Client(platform.url, tenant.api_key)
    group = (await client.create_device_group("all", "dynamic", {"status": "active"})).group_id
    device = tenant.devices["d0"].device_id
    for method, path, body in (
        ("PUT", f"members/{device}", None),
        ("DELETE", f"members/{device}", None),
        ("POST", "members", {"device_ids": [device]}),
    ):
        answer = await send(platform, tenant, method, f"device-groups/{group}/{path}", body)
        assert (answer.status, answer.body["code"]) == (409, "group_is_dynamic")
    assert len((await client.group_devices(group)).devices) == 4


async def test_groups_in_pages_and_their_end(platform):
    tenant = await platform.tenant(*DEVICES)
    client = Client(platform.url, tenant.api_key)
    for name in ("b", "a", "c"):
        kind, rule = ("dynamic", {"tags": "x"}) if name == "c" else ("static", None)
        await client.create_device_group(name, kind, rule)
    for query, expected in (
        ("sort=name", "abc"), ("sort=-name", "cba"), ("sort=created", "bac"),
        ("sort=-created", "cab"), ("kind=static", "ab"),
    ):  # fmt: skip
        names, cursor = "", ""
        while cursor is not None:
            path = f"device-groups?limit=1&{query}{cursor and f'&cursor={cursor}'}"
            body = (await send(platform, tenant, "GET", path)).body
            names += "".join(one["name"] for one in body["device_groups"])
            cursor = body["next_cursor"]
        assert names == expected
    group = body["device_groups"][0]["group_id"]
    assert (await send(platform, tenant, "DELETE", f"device-groups/{group}")).status == 204
    for method in ("GET", "DELETE"):
        assert (await send(platform, tenant, method, f"device-groups/{group}")).status == 404


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"name": "n", "kind": "dynamic"}, 422, "invalid_rule", "rule: write an object"),
        (
            {"name": "n", "kind": "dynamic", "rule": {"any": [{"tags": 1}]}},
            422,
            "invalid_rule",
            "rule.any[0].tags:",
        ),
        ({"name": "n", "kind": "static", "rule": {"tags": "x"}}, 422, "group_is_static", "static"),
        ({"name": "", "kind": "static"}, 422, "invalid", "name"),
        ({"name": "a\0", "kind": "static"}, 422, "invalid", "name"),
        ({"name": "taken", "kind": "static"}, 409, "group_name_taken", '"taken"'),
        ({"name": "n", "kind": "lively"}, 422, "invalid", "kind"),
        ({"name": "n", "kind": "static", "x": 1}, 422, "invalid", "x"),
    ],
)
async def test_a_group_that_cannot_be(platform, body, status, code, says):
    tenant = await platform.tenant()
    client = Client(platform.url, tenant.api_key)
    taken = await client.create_device_group("taken", "static")
    answer = await send(platform, tenant, "POST", "device-groups", body)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert says in answer.body["detail"]
    listed = await send(platform, tenant, "GET", "device-groups")
    assert [one["group_id"] for one in listed.body["device_groups"]] == [str(taken.group_id)]


async def test_a_change_needs_the_state_that_was_read(platform):
    tenant = await platform.tenant(*DEVICES)
    device = f"devices/{tenant.devices['d0'].device_id}"
    client = Client(platform.url, tenant.api_key)
    group = f"device-groups/{(await client.create_device_group('g', 'static')).group_id}"
    for path, body in ((device, {"firmware_version": "2"}), (group, {"name": "h"})):
        etag = (await send(platform, tenant, "GET", path)).headers["etag"]
        first = await send(platform, tenant, "PATCH", path, body, If_Match=etag)
        assert first.status == 200
        assert first.headers["etag"] != etag
        stale = await send(platform, tenant, "PATCH", path, body, If_Match=etag)
        assert (stale.status, stale.body["code"]) == (412, "stale")
    stale = await send(platform, tenant, "DELETE", group, If_Match=etag)
    assert (stale.status, stale.body["code"]) == (412, "stale")


async def test_a_device_gets_and_loses_a_gateway(platform):
    gateway = NewDevice(serial_number="g", device_type="gateway", firmware_version="1.1.0")
    tenant, other = await platform.tenant(*DEVICES, gateway), await platform.tenant(gateway)
    client = Client(platform.url, tenant.api_key)
    device, behind = tenant.devices["d0"].device_id, tenant.devices["g"].device_id
    for wrong, code in (
        (device, "own_gateway"),
        (other.devices["g"].device_id, "unknown_gateway"),
        (uuid.uuid4(), "unknown_gateway"),
    ):
        error = await refused(client.change_device(device, DeviceChange(gateway_id=wrong)))
        assert (error.status, error.code) == (422, code)
    for wanted in (behind, None):
        changed = await client.change_device(device, DeviceChange(gateway_id=wanted))
        assert changed.gateway_id == wanted
        assert changed == await client.device(device)
    assert (await client.device(behind)).firmware_version == "1.1.0"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"tags": ["a" * 101]}, "invalid_tags"),
        ({"tags": [f"{n}" for n in range(51)]}, "invalid_tags"),
        ({"tags": ["a\n"]}, "invalid_tags"),
        ({"tags": [""]}, "invalid_tags"),
        ({"tags": "a"}, "invalid"),
        ({"firmware_version": ""}, "invalid_firmware_version"),
        ({"firmware_version": "1\0"}, "invalid_firmware_version"),
        ({"serial_number": "other"}, "invalid"),
    ],
)
async def test_what_cannot_be_said_of_a_device(platform, body, code):
    tenant = await platform.tenant(DEVICES[1])
    path = f"devices/{tenant.devices['d1'].device_id}"
    answer = await send(platform, tenant, "PATCH", path, body)
    assert (answer.status, answer.body["code"]) == (422, code)
    assert (await send(platform, tenant, "GET", path)).body["tags"] == ["roof"]
    new = {"serial_number": "new", "device_type": "thermometer"} | body
    if code != "invalid":
        enrolment = await send(platform, tenant, "POST", "devices/bulk", {"devices": [new]})
        assert (enrolment.status, enrolment.body["code"]) == (422, code)


@pytest.mark.parametrize(
    ("new", "status", "code"),
    [
        ({"serial_number": "d1"}, 409, "serial_taken"),
        ({"serial_number": "ok"}, 409, "serial_repeated"),
        ({"serial_number": ""}, 422, "invalid_serial"),
        ({"device_type": "teapot"}, 422, "unknown_device_type"),
        ({"hardware_revision": "9"}, 422, "unknown_hardware_revision"),
        ({"gateway": "nobody"}, 422, "unknown_gateway"),
        ({"gateway": "new"}, 422, "own_gateway"),
    ],
)
async def test_mistakes_of_enrolment_have_codes_of_their_own(platform, new, status, code):
    tenant = await platform.tenant(DEVICES[1])
    client = Client(platform.url, tenant.api_key)
    good = NewDevice(serial_number="ok", device_type="thermometer")
    bad = msgspec.structs.replace(NewDevice(serial_number="new", device_type="thermometer"), **new)
    error = await refused(client.enrol(NewDevices(devices=(good, bad))))
    assert (error.status, error.code) == (status, code)
    assert await client.find_device("ok") is None


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("status=lost", 422), ("gateway=no-id", 422), ("group=1", 422), ("online=maybe", 422),
        ("sort=colour", 422), ("cursor=x", 422), ("limit=1001", 422), ("tag=%00", 422),
        ("type=a%00", 422), ("serial=%00", 422), ("firmware=%00", 422), ("tag=", 200),
        ("online=true&tag=a&tag=b", 200),
    ],
)  # fmt: skip
async def test_questions_for_a_list(platform, query, status):
    answer = await send(platform, await platform.tenant(), "GET", f"devices?{query}")
    assert answer.status == status, answer


async def test_a_cursor_of_another_order_is_refused(platform):
    tenant = await platform.tenant(*DEVICES)
    body = (await send(platform, tenant, "GET", "devices?limit=1")).body
    for sort in ("-serial_number", "created"):
        path = f"devices?limit=1&sort={sort}&cursor={body['next_cursor']}"
        answer = await send(platform, tenant, "GET", path)
        assert (answer.status, answer.body["code"]) == (422, "invalid_cursor")
