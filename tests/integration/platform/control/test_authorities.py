"""Whose certificates an organization trusts, and what they revoked."""

import uuid
from datetime import timedelta

import pytest
from callers import Caller, provision, register, trust
from pki import DAY, root


async def test_two_organizations_may_trust_the_same_authority(platform, people, anybody):
    factory = root()
    other = Caller(platform, (await platform.tenant()).api_key)
    for one in (people, other):
        await trust(one, factory)
    device = await register(people, "d1")
    party = factory.issue("d1")
    found = await anybody.refusal("POST", "/v1/provision", party.contact("d1"))
    assert found == (409, "organization_ambiguous")
    contact = party.contact("d1", organization_id=people.organization_id)
    assert (await provision(anybody, contact))["device_id"] == device
    nowhere = party.contact("d1", organization_id=uuid.uuid4())
    found = await anybody.refusal("POST", "/v1/provision", nowhere)
    assert found == (403, "certificate_untrusted")


async def test_authorities_are_kept_and_given_up(platform, people, anybody):
    factory = root()
    made = await trust(people, factory)
    body = {"name": "again", "certificate": factory.pem}
    path = f"/v1/certificate-authorities/{made['authority_id']}"
    assert await people.refusal("POST", "/v1/certificate-authorities", body) == (409, "conflict")
    assert await people.ok("GET", path) == made
    listed = await people.ok("GET", "/v1/certificate-authorities?limit=1")
    assert (listed["certificate_authorities"], listed["next_cursor"]) == ([made], None)
    other = Caller(platform, (await platform.tenant()).api_key)
    assert await other.refusal("GET", path) == (404, "not_found")
    assert await other.refusal("DELETE", path) == (404, "not_found")
    lists = {"revocations": factory.revoke()}
    assert await other.refusal("PUT", f"{path}/revocations", lists) == (404, "not_found")
    stale = await people.refusal("DELETE", path, None, **{"If-Match": '"1"'})
    assert stale == (412, "stale")
    await register(people, "d1")
    contact = factory.issue("d1").contact("d1", organization_id=people.organization_id)
    await people.ok("DELETE", path)
    assert await people.refusal("GET", path) == (404, "not_found")
    found = await anybody.refusal("POST", "/v1/provision", contact)
    assert found == (403, "certificate_untrusted")
    await trust(people, factory)
    await provision(anybody, contact)


async def test_only_an_admin_says_who_is_trusted(people, platform_rows):
    await platform_rows.execute(
        "update iot.api_keys set role = 'operator' where organization_id = $1",
        people.organization_id,
    )
    body = {"name": "factory", "certificate": root().pem}
    assert await people.refusal("POST", "/v1/certificate-authorities", body) == (403, "forbidden")
    await register(people, "d1")


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        (422, "certificate_malformed", {"certificate": "no certificate"}),
        (422, "certificate_malformed", {"certificate": root().pem + root().pem}),
        (403, "certificate_purpose", {"certificate": root().issue().pem}),
        (403, "certificate_expired", {"certificate": root(begins=-2 * DAY, ends=-DAY).pem}),
        (422, "unknown_device_type", {"device_type": "teapot"}),
        (422, "invalid", {"device_type": "\0"}),
        (422, "invalid", {"name": "x" * 201}),
        (422, "invalid", {"name": "\0"}),
        (422, "invalid", {"surprise": 1}),
    ],
)
async def test_what_is_no_authority_is_refused(people, status, code, body):
    new = {"name": "factory", "certificate": root().pem} | body
    found = await people.refusal("POST", "/v1/certificate-authorities", new)
    assert found == (status, code)


async def test_a_list_of_revocations_is_the_authoritys_own_and_the_newest(people):
    factory = root()
    made = await trust(people, factory)
    path = f"/v1/certificate-authorities/{made['authority_id']}/revocations"
    newer, older = factory.revoke(), factory.revoke(age=timedelta(hours=1))
    await people.ok("PUT", path, {"revocations": newer})
    await people.ok("PUT", path, {"revocations": newer})
    cases = {
        (409, "revocations_older"): older,
        (422, "revocations_foreign"): root().revoke(),
        (422, "revocations_malformed"): "nothing",
        (422, "revocations_outdated"): factory.revoke(age=2 * DAY, due=DAY),
    }
    for expected, text in cases.items():
        assert expected == await people.refusal("PUT", path, {"revocations": text})
