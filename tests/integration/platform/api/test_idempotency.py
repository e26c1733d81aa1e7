"""A POST that is sent again with its Idempotency-Key is answered as it was, and not done again."""

import asyncio
import hashlib
import uuid

import msgspec
import pytest

from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import idempotency

BULK = "/v1/devices/bulk"


def device(serial: str) -> dict[str, object]:
    return {"serial_number": serial, "device_type": "thermometer"}


def devices(*serials: str) -> bytes:
    return msgspec.json.encode({"devices": [device(one) for one in serials]})


async def post(platform, token, key, body, path=BULK):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    return await platform.request("POST", path, headers, body)


async def row_of(platform_rows, tenant):
    return await platform_rows.fetchrow(
        "select * from iot.idempotency_keys where organization_id = $1", tenant.organization_id
    )


async def test_sent_again_it_is_answered_the_same_and_done_once(platform, platform_rows):
    tenant, key = await platform.tenant(), str(uuid.uuid4())
    first, again = [await post(platform, tenant.api_key, key, devices("a")) for _ in range(2)]
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert first.headers["content-type"] == again.headers["content-type"]
    count = "select count(*) from iot.devices where organization_id = $1"
    assert await platform_rows.fetchval(count, tenant.organization_id) == 1
    without = await post(platform, tenant.api_key, None, devices("a"))
    assert (without.status, without.body["code"]) == (409, "serial_taken")


async def test_sent_many_times_at_once_it_is_done_once(platform, platform_rows):
    tenant, key = await platform.tenant(), "at once"
    body = devices(*(f"d{n}" for n in range(50)))
    answers = await asyncio.gather(*(post(platform, tenant.api_key, key, body) for _ in range(12)))
    done = [one for one in answers if one.status == 201]
    waiting = [one for one in answers if one.status != 201]
    assert done
    assert all(one.body == done[0].body for one in done)
    for one in waiting:
        assert (one.status, one.body["code"]) == (409, "idempotency_in_progress")
        assert one.headers["retry-after"] == "1"
    assert (await post(platform, tenant.api_key, key, body)).body == done[0].body
    count = "select count(*) from iot.devices where organization_id = $1"
    assert await platform_rows.fetchval(count, tenant.organization_id) == 50


async def test_a_key_is_for_one_request(platform):
    tenant, key = await platform.tenant(), "mine"
    assert (await post(platform, tenant.api_key, key, devices("a"))).status == 201
    for body, path in (
        (devices("b"), BULK),
        (b"", BULK),
        (devices("a"), f"{BULK}?x=1"),
        (devices("a"), "/v1/alert-rules"),
    ):
        answer = await post(platform, tenant.api_key, key, body, path)
        assert (answer.status, answer.body["code"]) == (422, "idempotency_key_reused")


async def test_a_key_is_of_whoever_sent_it(platform):
    one, other = await platform.tenant(), await platform.tenant()
    first = await post(platform, one.api_key, "k", devices("a"))
    second = await post(platform, other.api_key, "k", devices("a"))
    assert (first.status, second.status) == (201, 201)
    assert first.body != second.body


async def test_a_refusal_is_answered_the_same_too(platform):
    tenant = await platform.tenant()
    first = await post(platform, tenant.api_key, "k", b'{"devices": [{}]}')
    again = await post(platform, tenant.api_key, "k", b'{"devices": [{}]}')
    assert first.status == again.status == 422
    assert first.body == again.body


async def test_the_operators_keys_are_kept_too(platform, platform_rows):
    key = str(uuid.uuid4())
    body = b'{"name": "made twice"}'
    token = "operator-token-of-the-tests"
    first, again = [await post(platform, token, key, body, "/v1/organizations") for _ in range(2)]
    assert first.status == 201
    assert first.body == again.body
    stored = await platform_rows.fetchrow(
        "select organization_id, actor, answer from iot.idempotency_keys"
        " where idempotency_key = $1",
        key,
    )
    assert tuple(stored)[:2] == (uuid.UUID(int=0), "operator")
    assert first.body["api_key"].encode() not in stored["answer"]


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "tab\there", "caf\xe9"])
async def test_a_malformed_key(platform, key):
    tenant = await platform.tenant()
    answer = await post(platform, tenant.api_key, key, devices("a"))
    if key == " ":  # HTTP takes white space around a value away
        key = ""
    assert (answer.status, answer.body["code"]) == (422, "invalid_idempotency_key"), answer


async def test_a_stranger_is_refused_and_leaves_nothing(platform, platform_rows):
    held = "select count(*) from iot.idempotency_keys where claimed_at > '-infinity'"
    before = await platform_rows.fetchval(held)
    answer = await post(platform, "no-such-token", "k", devices("a"))
    assert (answer.status, answer.body["code"]) == (401, "unauthorized")
    forbidden = await post(platform, "operator-token-of-the-tests", str(uuid.uuid4()), devices("a"))
    assert forbidden.status == 403
    assert await platform_rows.fetchval(held) == before


async def test_what_is_kept_opens_for_the_same_token_only(platform, platform_rows):
    """With a key of its own for a user's second token, an answer stays closed to it."""
    tenant = await platform.tenant()
    first = await post(platform, tenant.api_key, "k", devices("a"))
    row = await row_of(platform_rows, tenant)
    token = first.body["devices"][0]["token"]
    assert token.encode() not in row["answer"]
    assert bytes(row["body_sha256"]) == hashlib.sha256(devices("a")).digest()
    await platform_rows.execute(
        "update iot.idempotency_keys set answer = set_byte(answer, 20, get_byte(answer, 20) # 1)"
        " where organization_id = $1",
        tenant.organization_id,
    )
    answer = await post(platform, tenant.api_key, "k", devices("a"))
    assert (answer.status, answer.body["code"]) == (422, "idempotency_key_reused")


async def test_a_claim_that_a_dead_process_left(platform, platform_rows):
    """The same request may be done once the lease has run out; another one never."""
    tenant = await platform.tenant()
    await post(platform, tenant.api_key, "k", devices("a"))
    left = (
        "update iot.idempotency_keys set status = null, answer = null, answered_at = null,"
        " claimed_at = clock_timestamp() - $2 * interval '1 s' where organization_id = $1"
    )
    await platform_rows.execute(left, tenant.organization_id, 1)
    answer = await post(platform, tenant.api_key, "k", devices("a"))
    assert (answer.status, answer.body["code"]) == (409, "idempotency_in_progress")
    await platform_rows.execute(left, tenant.organization_id, idempotency.LEASE_S + 1)
    answer = await post(platform, tenant.api_key, "k", devices("b"))
    assert (answer.status, answer.body["code"]) == (422, "idempotency_key_reused")
    answer = await post(platform, tenant.api_key, "k", devices("a"))
    assert (answer.status, answer.body["code"]) == (409, "serial_taken")


async def test_keys_expire_and_are_deleted(pool_as):
    api, worker = await pool_as("iot_api"), await pool_as("iot_worker")
    asked = idempotency.Asked(Tenant(uuid.uuid4(), "operator"), "k", "POST /v1/x", b"\0" * 32)
    other = idempotency.Asked(asked.tenant, "other", asked.route, asked.body_sha256)
    claim = await idempotency.claim(api, asked, 60.0)
    await idempotency.keep(api, asked, claim, idempotency.Kept(201, b"sealed"))
    assert await idempotency.claim(api, asked, 60.0) == idempotency.Kept(201, b"sealed")
    anew = await idempotency.claim(api, asked, 0.0)
    assert isinstance(anew, uuid.UUID)
    assert anew != claim
    await idempotency.release(api, other, await idempotency.claim(api, other, 60.0))
    assert isinstance(await idempotency.claim(api, other, 60.0), uuid.UUID)
    await idempotency.expire(worker, 60.0)
    count = "select count(*) from iot.idempotency_keys"
    assert await worker.fetchval(count) == 2
    await idempotency.expire(worker, 0.0)
    assert await worker.fetchval(count) == 0
