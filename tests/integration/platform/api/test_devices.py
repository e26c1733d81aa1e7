"""Devices over HTTP: where they stand in their life, whether they are online, who moved them."""

import asyncio
import uuid
from itertools import product
from typing import get_args

import asyncpg
import pytest

from fleetplatform.client import ApiError, Client
from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetplatform.wire.resources.devices import DeviceStatus, NewDevice

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")
BEHIND_A_GATEWAY = (
    NewDevice(serial_number="g", device_type="gateway"),
    NewDevice(serial_number="a", device_type="thermometer", gateway="g"),
    NewDevice(serial_number="b", device_type="thermometer", gateway="g"),
)
HEARD_WITHIN_S = 1.0
"""After the API's answer, the way of a notification to the directory."""
CONTACT_WITHIN_S = 15.0
"""At a speed of 1000 contact is written every second; at real time it is every half minute."""
STATES = get_args(DeviceStatus)
NEXT = {
    "active": {"maintenance", "suspended", "decommissioned"},
    "maintenance": {"active", "decommissioned"},
    "suspended": {"active", "decommissioned"},
    "decommissioned": set(),
}


def reading(sensor: object = "temperature") -> dict[str, object]:
    return {"sensor": str(sensor), "t": wall_now_us(), "v": 21.5}


async def refused(call) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value


async def test_every_illegal_move_is_refused_and_leaves_no_entry(platform):
    tenant = await platform.tenant(
        *(NewDevice(serial_number=s, device_type="thermometer") for s in NEXT)
    )
    client = Client(platform.url, tenant.api_key)
    ids = {state: tenant.devices[state].device_id for state in NEXT}
    for state in NEXT:
        if state != "active":
            await client.move_device(ids[state], state, "brought there")
    for state, status in product(NEXT, STATES):
        if status not in NEXT[state]:
            error = await refused(client.move_device(ids[state], status, "tried"))
            assert (error.status, error.code) == (409, "illegal_move")
            assert f"a device that is {state} cannot become {status}" in str(error)
    for state, device in ids.items():
        assert (await client.device(device)).device_status == state
        entries = (await client.audit(device, action="status")).entries
        assert [one.reason for one in entries] == ["brought there"] * (state != "active")


async def test_a_device_in_provisioning_may_only_become_active_or_end(platform, platform_rows):
    tenant = await platform.tenant(THERMOMETER)
    device = await platform_rows.fetchval(
        "insert into iot.devices (organization_id, device_type_id, device_type_version,"
        " hardware_revision, serial_number) select organization_id, device_type_id,"
        " device_type_version, hardware_revision, 'new' from iot.devices where device_id = $1"
        " returning device_id",
        tenant.devices["t1"].device_id,
    )
    client = Client(platform.url, tenant.api_key)
    for status in ("provisioning", "maintenance", "suspended"):
        error = await refused(client.move_device(device, status, "tried"))
        assert (error.status, error.code) == (409, "illegal_move")
    moved = await client.move_device(device, "active", "it answered")
    assert (moved.device_status, moved.last_seen_us, moved.online) == ("active", None, False)


async def test_the_audit_says_who_when_and_why_newest_first(platform, platform_rows):
    tenant = await platform.tenant(THERMOMETER)
    device = tenant.devices["t1"].device_id
    client = Client(platform.url, tenant.api_key)
    began_us = wall_now_us()
    await client.move_device(device, "maintenance", "a new battery")
    await client.move_device(device, "active", "it is in")
    key = await platform_rows.fetchval(
        "select api_key_id from iot.api_keys where organization_id = $1", tenant.organization_id
    )
    entries = (await client.audit(device, action="status")).entries
    found = [(one.from_state, one.to_state, one.actor, one.reason) for one in entries]
    assert found == [
        ("maintenance", "active", f"api_key:{key}", "it is in"),
        ("active", "maintenance", f"api_key:{key}", "a new battery"),
    ]
    assert began_us <= entries[1].recorded_at_us <= entries[0].recorded_at_us <= wall_now_us()
    assert (await client.audit(device, limit=1, action="status")).entries == entries[:1]


async def test_another_organizations_device_answers_as_an_unknown_one(platform):
    mine = await platform.tenant(THERMOMETER)
    other = Client(platform.url, (await platform.tenant()).api_key)
    theirs, unknown = mine.devices["t1"].device_id, uuid.uuid4()
    for call in (other.device, lambda one: other.move_device(one, "suspended", "tried")):
        answers = [await refused(call(one)) for one in (theirs, unknown)]
        said = [
            (a.status, a.code, str(a).replace(str(one), ""))
            for a, one in zip(answers, (theirs, unknown), strict=True)
        ]
        assert said[0] == said[1]
        assert said[0][:2] == (404, "not_found")
    await Client(platform.url, mine.api_key).move_device(theirs, "suspended", "mine to do")
    assert (await other.audit(theirs)) == (await other.audit(unknown))
    assert (await other.audit(theirs)).entries == ()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("devices/{id}/status", b'{"status": "lost", "reason": "x"}', 422),
        ("devices/{id}/status", b'{"status": "suspended"}', 422),
        ("devices/{id}/status", b'{"status": "suspended", "reason": ""}', 422),
        ("devices/{id}/status", b'{"status": "suspended", "reason": "a\\u0000b"}', 422),
        ("devices/{id}/status", b'{"status": "suspended", "reason": "%s"}' % (b"x" * 501), 422),
        ("devices/{id}/status", b'{"status": "suspended", "reason": "x", "by": "me"}', 422),
        ("devices/{id}/status", b"{", 422),
        ("devices/no-id/status", b'{"status": "suspended", "reason": "x"}', 404),
        ("devices/no-id", None, 404),
        ("audit?action=thought", None, 422),
        ("audit?subject=no-id", None, 422),
        ("audit?subject={id}&limit=0", None, 422),
    ],
)
async def test_bad_requests_change_nothing(platform, path, body, status):
    tenant = await platform.tenant(THERMOMETER)
    device = tenant.devices["t1"].device_id
    headers = {"Authorization": f"Bearer {tenant.api_key}", "Content-Type": "application/json"}
    method = "GET" if body is None else "POST"
    path = f"/v1/{path.format(id=device)}"
    answer = await platform.request(method, path, headers, body or b"")
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    client = Client(platform.url, tenant.api_key)
    assert (await client.device(device)).device_status == "active"
    assert (await client.audit(device, action="status")).entries == ()


async def test_the_operator_and_devices_have_no_business_here(platform):
    tenant = await platform.tenant(THERMOMETER)
    device = tenant.devices["t1"].device_id
    for client, status in (
        (platform.operator(), 403),
        (Client(platform.url, tenant.token("t1")), 401),
    ):
        for call in (
            client.device(device),
            client.audit(device),
            client.move_device(device, "suspended", "tried"),
        ):
            assert (await refused(call)).status == status


async def test_two_opposing_moves_at_once_leave_one_winner(platform):
    tenant = await platform.tenant(THERMOMETER)
    device = tenant.devices["t1"].device_id
    client = Client(platform.url, tenant.api_key)
    outcomes = await asyncio.gather(
        *(client.move_device(device, status, "race") for status in ("maintenance", "suspended")),
        return_exceptions=True,
    )
    (loser,) = [one for one in outcomes if isinstance(one, ApiError)]
    (winner,) = [one for one in outcomes if not isinstance(one, BaseException)]
    assert (loser.status, loser.code) == (409, "illegal_move")
    assert (await client.device(device)).device_status == winner.device_status
    (entry,) = (await client.audit(device, action="status")).entries
    assert entry.to_state == winner.device_status


@pytest.mark.parametrize("status", ["suspended", "decommissioned"])
async def test_its_own_token_is_refused_and_its_data_are_kept(
    platform, platform_rows, eventually, status
):
    tenant = await platform.tenant(THERMOMETER)
    token, sensor = tenant.token("t1"), tenant.sensor("t1")
    assert (await platform.post(token, [reading()])).body["accepted"] == 1
    client = Client(platform.url, tenant.api_key)
    await client.move_device(tenant.devices["t1"].device_id, status, "enough")

    async def is_refused() -> bool:
        return (await platform.post(token, [reading("no such sensor")])).status == 403

    await eventually(is_refused, HEARD_WITHIN_S)
    answer = await platform.post(token, [reading()])
    assert (answer.status, answer.body["code"]) == (403, "device_inactive")
    assert await _stored(platform_rows, sensor) == 1


@pytest.mark.parametrize("status", ["suspended", "decommissioned"])
async def test_its_readings_behind_a_gateway_are_rejected_and_no_others(
    platform, platform_rows, eventually, status
):
    tenant = await platform.tenant(*BEHIND_A_GATEWAY)
    sensors = [tenant.sensor("a"), tenant.sensor("b")]
    body = [reading(one) for one in sensors]
    assert (await platform.post(tenant.token("g"), body)).body["accepted"] == 2
    client = Client(platform.url, tenant.api_key)
    await client.move_device(tenant.devices["a"].device_id, status, "enough")

    async def is_rejected() -> bool:
        answer = await platform.post(tenant.token("g"), body)
        return [one["code"] for one in answer.body["rejected"]] == ["device_inactive"]

    await eventually(is_rejected, HEARD_WITHIN_S)
    answer = await platform.post(tenant.token("g"), [reading(one) for one in sensors])
    assert (answer.body["accepted"], answer.body["rejected_total"]) == (1, 1)
    assert [await _stored(platform_rows, one) for one in sensors] == [1, 2]


async def test_a_suspended_device_may_send_again_once_it_is_active(platform, eventually):
    tenant = await platform.tenant(THERMOMETER)
    device = tenant.devices["t1"].device_id
    client = Client(platform.url, tenant.api_key)
    await client.move_device(device, "suspended", "unpaid")
    await client.move_device(device, "active", "paid")

    async def is_taken() -> bool:
        return (await platform.post(tenant.token("t1"), [reading()])).status == 200

    await eventually(is_taken)


async def test_online_follows_contact_in_virtual_time(start_service, owner_of, eventually):
    """An hour of virtual time in 3.6 seconds; then the clock stands, and the boundary is exact."""
    service = await start_service()
    owner = await owner_of(service)
    tenant = await service.tenant(THERMOMETER)
    device = tenant.devices["t1"].device_id
    client = Client(service.url, tenant.api_key)
    operator = service.operator()
    law = ClockLaw(1_780_000_000_000_000, wall_now_us(), 1000.0)
    await operator.set_clock(law)
    found = await client.device(device)
    assert (found.last_seen_us, found.online) == (None, False)
    body = [{"sensor": "temperature", "t": law.now_us(), "v": 21.5}]
    assert (await service.post(tenant.token("t1"), body)).body["accepted"] == 1

    async def was_heard_of() -> bool:
        return (await client.device(device)).last_seen_us is not None

    await eventually(was_heard_of, CONTACT_WITHIN_S)
    seen_us = (await client.device(device)).last_seen_us
    assert seen_us is not None
    limit_us = round(service.settings.platform.registry.offline_after * 1e6)
    for silent_us, online in ((0, True), (limit_us, True), (limit_us + 1, False)):
        await operator.set_clock(ClockLaw(seen_us + silent_us, wall_now_us(), 0.0))
        assert (await client.device(device)).online is online
        by_serial = await client.find_device("t1")
        assert by_serial == await client.device(device)
    await _check_that_contact_is_the_databases(owner, device, seen_us)


async def _check_that_contact_is_the_databases(
    owner: asyncpg.Connection, device: uuid.UUID, seen_us: int
) -> None:
    stored = await owner.fetchval(
        "select (extract(epoch from last_seen_at) * 1000000)::bigint from iot.device_contacts"
        " where device_id = $1",
        device,
    )
    assert stored == seen_us


async def _stored(rows: asyncpg.Connection, sensor: uuid.UUID) -> int:
    count: int = await rows.fetchval(
        "select count(*) from iot.sensor_data where sensor_id = $1", sensor
    )
    return count
