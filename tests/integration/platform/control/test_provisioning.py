"""The first contact of a device over HTTP, by a certificate."""

import asyncio
import base64
import random
import uuid

import msgspec
import pytest
from callers import Caller, claim, provision, register, state, trust
from pki import DAY, SERVER, make, root

from fleetplatform.client import Client
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.problems import CODES
from fleetplatform.wire.resources.provisioning import Proof

HOUR_US = 3_600_000_000


async def test_a_registered_device_with_a_certificate_is_let_in_and_sends(
    platform, people, anybody
):
    factory = root()
    authority = await trust(people, factory)
    device = await register(people, "d1", "climate_v2")
    before = await people.ok("GET", f"/v1/devices/{device}/configuration")
    assert (before["version"], before["settings"]) == (0, {})
    line = factory.authority("line 7")
    made = await provision(anybody, line.issue("d1").contact("d1"))
    assert (made["device_id"], made["rotated"]) == (device, False)
    assert list(made["sensors"]) == ["temperature", "humidity", "pressure"]
    shown = await people.ok("GET", f"/v1/devices/{device}")
    assert shown["device_status"] == "active"
    reading = {"sensor": "temperature", "t": wall_now_us(), "v": 20.5}
    sent = await platform.post(made["token"], [reading])
    assert (sent.status, sent.body["accepted"]) == (200, 1)
    configuration = await people.ok("GET", f"/v1/devices/{device}/configuration")
    assert configuration["version"] == 1
    assert configuration["settings"] == made["configuration"]["settings"]
    (certificate,) = (await people.ok("GET", f"/v1/devices/{device}/certificates"))["certificates"]
    assert certificate["authority_id"] == authority["authority_id"]
    (entry,) = [
        one
        for one in (await people.ok("GET", f"/v1/audit?subject={device}"))["entries"]
        if one["action"] == "status"
    ]
    assert (entry["from_state"], entry["to_state"]) == ("provisioning", "active")
    assert (entry["actor"], entry["reason"]) == (
        f"device:{device}",
        "first contact with a certificate",
    )


async def test_the_first_configuration_is_what_the_type_says(people, anybody, specification):
    factory = root()
    await trust(people, factory)
    await register(people, "d1", "climate_v2")
    made = await provision(anybody, factory.issue("d1").contact("d1"))
    schema = specification("climate_v2").configuration["properties"]
    assert made["configuration"]["settings"] == {k: v["default"] for k, v in schema.items()}
    assert made["configuration"]["settings"]


async def test_every_fault_of_a_certificate_is_refused_and_nothing_is_written(
    people, anybody, platform_rows
):
    factory = root()
    revoked = factory.issue("d1")
    authority = await trust(people, factory)
    path = f"/v1/certificate-authorities/{authority['authority_id']}/revocations"
    kept = await people.ok("PUT", path, {"revocations": factory.revoke(revoked)})
    assert kept["revocations"]["revoked"] == 1
    await register(people, "d1")
    cases = {
        "certificate_expired": factory.issue("d1", begins=-2 * DAY, ends=-DAY),
        "certificate_not_yet_valid": factory.issue("d1", begins=DAY, ends=2 * DAY),
        "certificate_untrusted": root("another").issue("d1"),
        "certificate_purpose": factory.issue("d1", usages=SERVER),
        "certificate_revoked": revoked,
        "certificate_self_signed": make(None, "d1"),
        "certificate_serial": factory.issue("d2"),
    }
    before = await state(platform_rows, people.organization_id)
    for code, party in cases.items():
        for organization in (None, people.organization_id):
            contact = party.contact("d1", organization_id=organization)
            found = await anybody.refusal("POST", "/v1/provision", contact)
            assert (403, code) == found
    assert before == await state(platform_rows, people.organization_id)


async def test_a_certificate_without_its_key_is_worth_nothing(people, anybody, platform_rows):
    factory = root()
    await trust(people, factory)
    await register(people, "d1")
    device, thief = factory.issue("d1"), factory.issue("d9")
    good = device.contact("d1")
    at_us = good.proof.timestamp_us
    old = device.contact("d1")
    text = base64.b64encode(b"x" * 70).decode()
    cases = [
        ("proof_invalid", thief.contact("d1", certificate_chain=device.chain)),
        ("proof_invalid", thief.contact("d9", certificate_chain=device.chain, serial_number="d1")),
        ("proof_invalid", device.contact("d1", proof=Proof(timestamp_us=at_us, signature=text))),
        ("proof_invalid", msgspec.structs.replace(
            good, proof=Proof(timestamp_us=at_us + 1, signature=good.proof.signature))),
        ("proof_stale", msgspec.structs.replace(
            old, proof=Proof(timestamp_us=at_us - HOUR_US, signature=good.proof.signature))),
        ("proof_stale", msgspec.structs.replace(
            old, proof=Proof(timestamp_us=2**62, signature=good.proof.signature))),
    ]  # fmt: skip
    before = await state(platform_rows, people.organization_id)
    for code, contact in cases:
        assert (403, code) == await anybody.refusal("POST", "/v1/provision", contact)
    assert before == await state(platform_rows, people.organization_id)
    await provision(anybody, good)


async def test_a_device_that_nobody_registered_comes_in_only_where_the_authority_says_so(
    people, anybody
):
    closed, open_ = root("closed"), root("open")
    await trust(people, closed)
    await trust(people, open_, device_type="gateway")
    found = await anybody.refusal("POST", "/v1/provision", closed.issue("d1").contact("d1"))
    assert found == (403, "device_unregistered")
    made = await provision(anybody, open_.issue("d1").contact("d1"))
    shown = await people.ok("GET", f"/v1/devices/{made['device_id']}")
    assert (shown["device_type"], shown["device_status"]) == ("gateway", "active")


async def test_a_second_first_contact_is_refused_and_changes_nothing(
    platform, people, anybody, platform_rows
):
    factory = root()
    await trust(people, factory)
    await register(people, "d1")
    party = factory.issue("d1")
    contact = party.contact("d1")
    made = await provision(anybody, contact)
    before = await state(platform_rows, people.organization_id)
    for again in (contact, party.contact("d1")):
        found = await anybody.refusal("POST", "/v1/provision", again)
        assert found == (409, "already_provisioned")
    assert before == await state(platform_rows, people.organization_id)
    sent = await platform.post(made["token"], [])
    assert sent.status == 200


async def test_of_many_contacts_at_once_one_is_let_in(people, anybody, platform_rows):
    factory = root()
    await trust(people, factory, device_type="thermometer")
    party = factory.issue("d1")
    answers = await asyncio.gather(
        *(anybody.call("POST", "/v1/provision", party.contact("d1")) for _ in range(12))
    )
    assert sorted(one.status for one in answers) == [201] + [409] * 11
    assert {one.body["code"] for one in answers if one.status == 409} == {"already_provisioned"}
    counts = [len(one) for one in await state(platform_rows, people.organization_id)]
    assert counts[:3] == [1, 1, 1]


async def test_another_certificate_of_the_same_device_takes_over(platform, people, anybody):
    factory = root()
    await trust(people, factory)
    device = await register(people, "d1")
    first = await provision(anybody, factory.issue("d1").contact("d1"))
    second = await provision(anybody, factory.issue("d1").contact("d1"))
    assert (second["rotated"], second["device_id"]) == (True, device)
    assert second["configuration"]["version"] == 1
    for made in (first, second):
        assert (await platform.post(made["token"], [])).status == 200
    shown = (await people.ok("GET", f"/v1/devices/{device}/certificates"))["certificates"]
    assert [one["replaced_at_us"] is None for one in shown] == [True, False]


async def test_a_suspended_device_gets_nothing(people, anybody):
    factory = root()
    await trust(people, factory)
    device = await register(people, "d1")
    await provision(anybody, factory.issue("d1").contact("d1"))
    status = {"status": "suspended", "reason": "stolen"}
    await people.ok("POST", f"/v1/devices/{device}/status", status)
    found = await anybody.refusal("POST", "/v1/provision", factory.issue("d1").contact("d1"))
    assert found == (403, "device_inactive")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"serial_number": "d1"},
        {"serial_number": "d1", "certificate_chain": "x"},
        {"serial_number": "d1", "certificate_chain": "x", "claim_token": "y"},
        {"claim_token": "y", "serial_number": "x" * 201},
        {"claim_token": "y", "serial_number": "\0"},
        {"claim_token": "y", "organization_id": "no id"},
        {"surprise": 1},
        [],
    ],
)
async def test_a_contact_that_shows_neither_or_both_is_refused(anybody, body):
    assert await anybody.refusal("POST", "/v1/provision", body) == (422, "invalid")


async def test_registering_one_device_refuses_what_cannot_be(people):
    await register(people, "d1")
    kinds = {"serial_number": "d2", "device_type": "thermometer"}
    cases = [
        (409, "serial_taken", {"serial_number": "d1"}),
        (422, "invalid_serial", {"serial_number": ""}),
        (422, "unknown_device_type", {"device_type": "teapot"}),
        (422, "unknown_gateway", {"gateway": "nobody"}),
    ]
    for status, code, more in cases:
        found = await people.refusal("POST", "/v1/devices", kinds | more)
        assert found == (status, code)


async def test_a_device_behind_a_gateway_makes_no_contact(people, anybody, platform):
    factory = root()
    await trust(people, factory)
    await register(people, "g1", "gateway")
    body = {"serial_number": "d1", "device_type": "thermometer", "gateway": "g1"}
    await people.ok("POST", "/v1/devices", body)
    found = await anybody.refusal("POST", "/v1/provision", factory.issue("d1").contact("d1"))
    assert found == (403, "behind_gateway")


async def test_other_tenants_see_nothing_of_it(platform, people, anybody):
    factory = root()
    await trust(people, factory)
    device = await register(people, "d1")
    await provision(anybody, factory.issue("d1").contact("d1"))
    made = await claim(people, device_type="thermometer")
    other = Caller(platform, (await platform.tenant()).api_key)
    for method, path in (
        ("GET", f"/v1/devices/{device}/configuration"),
        ("GET", f"/v1/devices/{device}/certificates"),
        ("POST", f"/v1/devices/{device}/tokens"),
        ("DELETE", f"/v1/claim-tokens/{made['claim_id']}"),
    ):
        assert await other.refusal(method, path) == (404, "not_found")
        assert await other.refusal(method, path.replace(device, str(uuid.uuid4()))) == (
            404,
            "not_found",
        )
    assert (await other.ok("GET", "/v1/claim-tokens"))["claim_tokens"] == []
    async with Client(platform.url, other.headers["Authorization"][7:]) as client:
        assert (await client.find_device("d1")) is None


async def test_whatever_is_sent_is_refused_by_name(people, anybody):
    """Bodies with changed bytes, from a seed that is printed; hypothesis tries the parts alone."""
    factory = root()
    await trust(people, factory)
    good = msgspec.json.encode(factory.authority("line").issue("d1").contact("d1"))
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    for _ in range(60):
        body = bytearray(good)
        for _ in range(draw.randint(1, 3)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        answer = await anybody.raw("/v1/provision", bytes(body))
        assert 400 <= answer.status < 500, (seed, answer)
        assert answer.body["code"] in CODES
    for unreadable in (b'"\xc5"', b"[" * 100_000):
        answer = await anybody.raw("/v1/provision", unreadable)
        assert (answer.status, answer.body["code"]) == (422, "unreadable_body")
    big = b"{" + b" " * 300_000 + b"}"
    answer = await anybody.raw("/v1/provision", big)
    assert (answer.status, answer.body["code"]) == (413, "body_too_large")


async def test_contacts_moves_rotations_and_enrolments_do_not_block_each_other(people, anybody):
    factory = root()
    await trust(people, factory, device_type="thermometer")
    parties = {f"d{n}": factory.issue(f"d{n}") for n in range(6)}
    made = [await provision(anybody, party.contact(serial)) for serial, party in parties.items()]
    ids = [one["device_id"] for one in made]
    device = Caller(people.service, made[0]["token"])
    calls = [
        *(anybody.call("POST", "/v1/provision", factory.issue(s).contact(s)) for s in parties),
        *(people.call("POST", f"/v1/devices/{one}/tokens") for one in ids),
        *(
            people.call("POST", f"/v1/devices/{one}/status", {"status": s, "reason": "tried"})
            for one in ids
            for s in ("maintenance", "active")
        ),
        *(
            people.call(
                "POST",
                "/v1/devices/bulk",
                {"devices": [{"serial_number": f"b{n}", "device_type": "thermometer"}]},
            )
            for n in range(6)
        ),
        device.call("POST", "/v1/device/token"),
    ]
    answers = await asyncio.gather(*calls)
    assert {one.status for one in answers} <= {200, 201, 409}
    assert {o.body["code"] for o in answers if o.status == 409} <= {"illegal_move"}


async def test_contacts_and_enrolments_that_are_counted_do_not_block_each_other(
    platform, people, anybody
):
    """Both count devices against the quota and write the registry, so both in one order."""
    operator = Caller(platform, "operator-token-of-the-tests")
    path = f"/v1/organizations/{people.organization_id}/quotas"
    await operator.ok("PUT", path, {"devices": 1_000})
    factory = root()
    await trust(people, factory, device_type="thermometer")
    made = await asyncio.gather(
        *(
            anybody.call("POST", "/v1/provision", factory.issue(s).contact(s))
            for s in (f"d{n}" for n in range(12))
        ),
        *(
            people.call(
                "POST",
                "/v1/devices/bulk",
                {
                    "devices": [
                        {"serial_number": f"b{n}-{m}", "device_type": "thermometer"}
                        for m in range(20)
                    ]
                },
            )
            for n in range(12)
        ),
    )
    assert [one.status for one in made] == [201] * 24


async def test_a_token_that_is_taken_back_while_it_asks_gets_no_other(
    people, anybody, platform_rows
):
    made = await claim(people, device_type="thermometer")
    contact = {"claim_token": made["token"], "serial_number": "d1"}
    first = await anybody.ok("POST", "/v1/provision", contact)
    device = Caller(people.service, first["token"])
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    async with platform_rows.transaction():
        await platform_rows.execute(
            "select pg_advisory_xact_lock(hashtextextended('iot.registry_revision', 0))"
        )
        asked = asyncio.create_task(device.call("POST", "/v1/device/token"))
        async with asyncio.timeout(10):
            while not await platform_rows.fetchval(waiting):
                await asyncio.sleep(0.01)
        await platform_rows.execute(
            "update iot.device_credentials set revoked_at = clock_timestamp()"
            " where device_id = $1",
            first["device_id"],
        )
    answer = await asked
    assert (answer.status, answer.body["code"]) == (401, "unauthorized")


async def test_a_device_that_comes_behind_a_gateway_has_no_tokens_any_more(
    people, anybody, platform_rows
):
    made = await claim(people, device_type="thermometer")
    contact = {"claim_token": made["token"], "serial_number": "d1"}
    device = (await anybody.ok("POST", "/v1/provision", contact))["device_id"]
    good = (
        "select count(*) from iot.device_credentials"
        " where device_id = $1 and (revoked_at is null or revoked_at > clock_timestamp())"
    )
    assert await platform_rows.fetchval(good, device) == 1
    gateway = await register(people, "g1", "gateway")
    await people.ok("PATCH", f"/v1/devices/{device}", {"gateway_id": gateway})
    assert await platform_rows.fetchval(good, device) == 0
