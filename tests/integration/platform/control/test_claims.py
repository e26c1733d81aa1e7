"""The first contact of a device over HTTP, by a claim token."""

import asyncio
import uuid

import pytest
from callers import claim, register

from fleetplatform.wire.clock import wall_now_us

HOUR_US = 3_600_000_000


async def test_a_claim_token_lets_one_device_in_of_twenty_tries(people, anybody, platform_rows):
    made = await claim(people, device_type="thermometer")
    bodies = [{"claim_token": made["token"], "serial_number": f"d{n}"} for n in range(20)]
    answers = await asyncio.gather(*(anybody.call("POST", "/v1/provision", b) for b in bodies))
    assert sorted(one.status for one in answers) == [201] + [403] * 19
    assert {one.body["code"] for one in answers if one.status == 403} == {"claim_used"}
    count = "select count(*) from iot.devices where organization_id = $1"
    assert await platform_rows.fetchval(count, people.organization_id) == 1
    (left,) = (await people.ok("GET", "/v1/claim-tokens"))["claim_tokens"]
    assert (left["claim_id"], left["uses_left"]) == (made["claim_id"], 0)
    assert "token" not in left


async def test_a_claim_token_for_a_serial_number_is_that_devices(people, anybody):
    made = await claim(people, serial_number="d1")
    found = await anybody.refusal("POST", "/v1/provision", {"claim_token": made["token"]})
    assert found == (403, "device_unregistered")
    device = await register(people, "d1")
    body = {"claim_token": made["token"], "serial_number": "d2"}
    assert await anybody.refusal("POST", "/v1/provision", body) == (403, "claim_serial")
    reply = await anybody.ok("POST", "/v1/provision", {"claim_token": made["token"]})
    assert reply["device_id"] == device
    found = await anybody.refusal("POST", "/v1/provision", {"claim_token": made["token"]})
    assert found == (403, "claim_used")


async def test_a_claim_token_serves_as_many_devices_as_it_says(people, anybody):
    made = await claim(people, device_type="thermometer", uses=2)
    await register(people, "g1", "gateway")
    body = {"claim_token": made["token"], "serial_number": "g1"}
    assert await anybody.refusal("POST", "/v1/provision", body) == (403, "claim_device_type")
    for serial in ("d1", "d2"):
        await anybody.ok("POST", "/v1/provision", body | {"serial_number": serial})
    for serial, code in (("d1", "claim_used"), ("d3", "claim_used")):
        found = await anybody.refusal("POST", "/v1/provision", body | {"serial_number": serial})
        assert found == (403, code)


async def test_a_device_that_is_active_does_not_use_a_claim_token_up(people, anybody):
    made = await claim(people, device_type="thermometer", uses=2)
    body = {"claim_token": made["token"], "serial_number": "d1"}
    await anybody.ok("POST", "/v1/provision", body)
    assert await anybody.refusal("POST", "/v1/provision", body) == (409, "already_provisioned")
    await anybody.ok("POST", "/v1/provision", body | {"serial_number": "d2"})


async def test_claim_tokens_end(people, anybody, platform_rows):
    expired = await claim(people, device_type="thermometer")
    revoked = await claim(people, device_type="thermometer")
    await platform_rows.execute(
        "update iot.claim_tokens set expires_at = clock_timestamp() where claim_id = $1",
        uuid.UUID(expired["claim_id"]),
    )
    await people.ok("DELETE", f"/v1/claim-tokens/{revoked['claim_id']}")
    path = f"/v1/claim-tokens/{revoked['claim_id']}"
    assert await people.refusal("DELETE", path) == (404, "not_found")
    for token, code in (
        (expired["token"], "claim_expired"), (revoked["token"], "claim_unknown"),
        ("guessed", "claim_unknown"), ("", "claim_unknown"), ("\0", "claim_unknown"),
    ):  # fmt: skip
        body = {"claim_token": token, "serial_number": "d1"}
        assert await anybody.refusal("POST", "/v1/provision", body) == (403, code)


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("invalid", {}),
        ("invalid", {"device_type": "thermometer", "expires_at_us": 0}),
        ("invalid", {"device_type": "thermometer", "expires_at_us": 2**62}),
        ("invalid", {"device_type": "thermometer", "uses": 0}),
        ("invalid", {"device_type": "thermometer", "uses": 2**40}),
        ("invalid", {"serial_number": "d1", "uses": 2}),
        ("invalid", {"serial_number": ""}),
        ("invalid", {"serial_number": "x" * 201}),
        ("invalid", {"serial_number": "\0"}),
        ("unknown_device_type", {"device_type": "teapot"}),
    ],
)
async def test_an_impossible_claim_token_is_refused(people, code, body):
    new = {"expires_at_us": wall_now_us() + HOUR_US} | body
    assert await people.refusal("POST", "/v1/claim-tokens", new) == (422, code)
