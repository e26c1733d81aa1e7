"""Tokens take over from one another, and a device that sends all the time loses nothing."""

import asyncio
import hashlib
import uuid

import pytest

from fleetplatform.client import Client
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import credentials, device_types, devices, organizations
from fleetplatform.registry.directory import Directory
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")
HOUR_US = 3_600_000_000


async def post(platform, token, path):
    headers = {"Authorization": f"Bearer {token}"}
    return await platform.request("POST", path, headers, b"")


async def own(platform, token):
    return await post(platform, token, "/v1/device/token")


class Sender:
    """A device that sends one reading after the other; `token` may change at any time."""

    def __init__(self, platform, token):
        self.platform, self.token = platform, token
        self.sent = self.acknowledged = 0
        self.done = False

    async def run(self) -> None:
        while not self.done:
            reading = {"sensor": "temperature", "t": wall_now_us(), "v": 20.0}
            self.sent += 1
            answer = await self.platform.post(self.token, [reading])
            assert answer.status == 200, answer
            self.acknowledged += answer.body["accepted"]

    async def more(self, count: int = 20) -> None:
        """Return when so many readings more have been acknowledged."""
        until = self.acknowledged + count
        async with asyncio.timeout(30):
            while self.acknowledged < until:
                await asyncio.sleep(0.005)


async def test_a_device_that_sends_through_rotations_loses_nothing(
    platform, platform_rows, eventually
):
    tenant = await platform.tenant(THERMOMETER)
    device = tenant.devices["t1"].device_id
    sender = Sender(platform, tenant.token("t1"))
    sending = asyncio.create_task(sender.run())
    for turn in range(4):
        await sender.more()
        if turn % 2:
            path = f"/v1/devices/{device}/tokens?overlap_s=1"
            answer = await post(platform, tenant.api_key, path)
        else:
            answer = await own(platform, sender.token)
        assert answer.status == 201, answer
        await sender.more()
        sender.token, old = answer.body["token"], sender.token
    await sender.more()

    async def is_over() -> bool:
        return (await platform.post(old, [])).status == 401

    await eventually(is_over)
    await sender.more()
    sender.done = True
    await sending
    stored = await platform_rows.fetchval(
        "select count(*) from iot.sensor_data where device_id = $1", device
    )
    assert sender.sent == sender.acknowledged == stored


async def test_a_token_is_good_for_the_overlap_and_no_longer(platform, eventually):
    tenant = await platform.tenant(THERMOMETER)
    device, first = tenant.devices["t1"].device_id, tenant.token("t1")
    before_us = wall_now_us()
    made = (await own(platform, first)).body
    assert before_us + HOUR_US <= made["others_until_us"] <= wall_now_us() + HOUR_US
    for token in (first, made["token"]):
        assert (await platform.post(token, [])).status == 200
    path = f"/v1/devices/{device}/tokens?overlap_s=0"
    last = (await post(platform, tenant.api_key, path)).body["token"]

    async def are_over() -> bool:
        answers = [await platform.post(token, []) for token in (first, made["token"])]
        return [one.status for one in answers] == [401, 401]

    await eventually(are_over)
    assert (await platform.post(last, [])).status == 200
    for token in (first, made["token"], "nonsense"):
        refused = await own(platform, token)
        assert (refused.status, refused.body["code"]) == (401, "unauthorized")


async def test_not_too_many_tokens_are_good_at_once(platform):
    tenant = await platform.tenant(THERMOMETER)
    token = tenant.token("t1")
    for _ in range(credentials.TOKENS_MAX - 1):
        answer = await own(platform, token)
        assert answer.status == 201
    refused = await own(platform, token)
    assert (refused.status, refused.body["code"]) == (409, "too_many_tokens")


async def test_who_may_have_no_token_gets_none(platform):
    tenant = await platform.tenant(
        NewDevice(serial_number="g", device_type="gateway"),
        NewDevice(serial_number="a", device_type="thermometer", gateway="g"),
        THERMOMETER,
    )
    behind, device = (tenant.devices[s].device_id for s in ("a", "t1"))
    path = f"/v1/devices/{behind}/tokens"
    refused = await post(platform, tenant.api_key, path)
    assert (refused.status, refused.body["code"]) == (403, "behind_gateway")
    refused = await post(platform, tenant.api_key, f"/v1/devices/{uuid.uuid4()}/tokens")
    assert (refused.status, refused.body["code"]) == (404, "not_found")
    for overlap in ("-1", "x", str(2**70)):
        query = f"/v1/devices/{device}/tokens?overlap_s={overlap}"
        refused = await post(platform, tenant.api_key, query)
        assert (refused.status, refused.body["code"]) == (422, "invalid")
    refused = await own(platform, tenant.api_key)
    assert refused.status == 401


@pytest.mark.parametrize("status", ["suspended", "decommissioned"])
async def test_a_device_that_is_not_active_rotates_nothing(platform, status):
    tenant = await platform.tenant(THERMOMETER)
    async with Client(platform.url, tenant.api_key) as client:
        await client.move_device(tenant.devices["t1"].device_id, status, "tried")
    refused = await own(platform, tenant.token("t1"))
    assert (refused.status, refused.body["code"]) == (403, "device_inactive")


async def test_the_directory_ends_a_token_by_the_clock_without_a_change(
    pool_as, specification, eventually
):
    api, ingest = await pool_as("iot_api"), await pool_as("iot_ingest")
    await device_types.put(api, specification("thermometer"))
    made = await organizations.create(api, NewOrganization(name="one"))
    tenant = Tenant(made.organization_id)
    (device,) = (await devices.enrol(api, tenant, [THERMOMETER])).devices
    directory = Directory()
    new = await credentials.rotate(api, tenant, device.device_id, 0.5)
    await directory.refresh(ingest)
    old = hashlib.sha256((device.token or "").encode()).digest()
    kept = hashlib.sha256(new.token.encode()).digest()
    assert directory.find_token(kept) >= 0
    version = directory.version
    await eventually(lambda: directory.find_token(old) == -1)
    assert wall_now_us() >= new.others_until_us
    assert directory.find_token(kept) >= 0
    assert directory.version == version
