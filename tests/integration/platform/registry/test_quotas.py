"""Quotas of devices and rules hold under races, and whoever may set them sets them."""

import asyncio

import pytest

from fleetplatform.api.access import Role
from fleetplatform.client import ApiError, Client
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.devices import NewDevice, NewDevices
from fleetplatform.wire.resources.quotas import NewQuotas, Use


def devices(*serials: str) -> NewDevices:
    return NewDevices(
        devices=tuple(NewDevice(serial_number=s, device_type="thermometer") for s in serials)
    )


def rule(name: str) -> NewAlertRule:
    return NewAlertRule(
        name=name, severity="info", sensor_type="temperature", conditions={"threshold_high": 1}
    )


async def refused(call) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value


async def test_enrolment_beyond_the_quota_is_refused_with_its_figures(platform, platform_rows):
    tenant = await platform.tenant(NewDevice(serial_number="a", device_type="thermometer"))
    client, operator = Client(platform.url, tenant.api_key), platform.operator()
    await operator.put_quotas(tenant.organization_id, NewQuotas(devices=3))
    error = await refused(client.enrol(devices("b", "c", "d")))
    assert (error.status, error.code) == (403, "quota_exceeded")
    assert "may have 3, has 1, and 3 more" in str(error)
    assert await client.find_device("b") is None
    await client.enrol(devices("b", "c"))
    assert (await refused(client.enrol(devices("d")))).code == "quota_exceeded"
    usage = await client.usage(tenant.organization_id)
    assert usage.devices == Use(limit=3, used=3)
    await client.move_device(tenant.devices["a"].device_id, "decommissioned", "worn out")
    await client.enrol(devices("d"))
    assert (await client.usage(tenant.organization_id)).devices == Use(limit=3, used=3)


async def test_enrolments_at_the_same_time_take_no_more_than_there_is(platform, platform_rows):
    tenant = await platform.tenant()
    client = Client(platform.url, tenant.api_key)
    await platform.operator().put_quotas(tenant.organization_id, NewQuotas(devices=20))
    calls = [client.enrol(devices(*(f"{i}-{n}" for n in range(3)))) for i in range(16)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    errors = [one for one in results if isinstance(one, Exception)]
    assert {getattr(one, "code", one) for one in errors} == {"quota_exceeded"}
    assert len(results) - len(errors) == 6
    stored = await platform_rows.fetchval(
        "select count(*) from iot.sensors where organization_id = $1", tenant.organization_id
    )
    assert stored == 18


async def test_rules_beyond_the_quota_are_refused_also_at_the_same_time(platform):
    tenant = await platform.tenant()
    client = Client(platform.url, tenant.api_key)
    await platform.operator().put_quotas(tenant.organization_id, NewQuotas(rules=2))
    calls = [client.create_alert_rule(rule(f"r{i}")) for i in range(8)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    codes = [one.code for one in results if isinstance(one, ApiError)]
    assert codes == ["quota_exceeded"] * 6
    assert (await client.usage(tenant.organization_id)).rules == Use(limit=2, used=2)


async def test_quotas_changed_during_enrolments_neither_wait_forever_nor_fail(platform):
    tenant = await platform.tenant()
    client, operator = Client(platform.url, tenant.api_key), platform.operator()
    await operator.put_quotas(tenant.organization_id, NewQuotas(devices=1000))
    calls = [client.enrol(devices(f"s{i}")) for i in range(12)]
    calls += [
        operator.put_quotas(tenant.organization_id, NewQuotas(devices=1000 + i))
        for i in range(12)
    ]
    async with asyncio.timeout(20):
        await asyncio.gather(*calls)


async def test_who_may_set_quotas(platform, platform_rows):
    parent, child = await platform.tenant(), await platform.tenant()
    stranger = await platform.tenant()
    await platform_rows.execute(
        "update iot.organizations set parent_id = $1 where organization_id = $2",
        parent.organization_id, child.organization_id,
    )  # fmt: skip
    above, own = Client(platform.url, parent.api_key), Client(platform.url, child.api_key)
    put = await above.put_quotas(child.organization_id, NewQuotas(devices=5, storage_days=30))
    assert await own.quotas(child.organization_id) == put
    assert (await own.usage(child.organization_id)).storage_days == Use(limit=30, used=0)
    error = await refused(own.put_quotas(child.organization_id, NewQuotas()))
    assert (error.status, error.code) == (403, "forbidden")
    other = Client(platform.url, stranger.api_key)
    for call in (
        other.put_quotas(child.organization_id, NewQuotas()),
        other.quotas(child.organization_id),
        other.usage(child.organization_id),
        own.quotas(parent.organization_id),
    ):
        assert (await refused(call)).code == "not_found"
    await platform_rows.execute(
        "update iot.api_keys set role = 'operator' where organization_id = $1",
        parent.organization_id,
    )
    error = await refused(above.put_quotas(child.organization_id, NewQuotas()))
    assert (error.status, Role.ADMIN.name.lower() in str(error)) == (403, True)


async def test_quotas_have_an_etag(platform):
    tenant = await platform.tenant()
    path = f"/v1/organizations/{tenant.organization_id}/quotas"
    headers = {"Authorization": "Bearer operator-token-of-the-tests"}
    before = await platform.request("GET", path, headers, b"")
    assert before.headers["etag"] == '"0"'
    assert before.body["devices"] is None
    given = headers | {"If-Match": '"0"', "Content-Type": "application/json"}
    put = await platform.request("PUT", path, given, b'{"devices": 7}')
    assert (put.status, put.body["devices"]) == (200, 7)
    again = await platform.request("PUT", path, given, b'{"devices": 8}')
    assert (again.status, again.body["code"]) == (412, "stale")
    fresh = given | {"If-Match": put.headers["etag"]}
    assert (await platform.request("PUT", path, fresh, b"{}")).body["devices"] is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"devices": -1}', b'{"devices": 1.5}', b'{"devices": 9223372036854775808}',
        b'{"readings_per_s": 0}', b'{"readings_per_s": 1e400}', b'{"readings_per_s": "5/s"}',
        b'{"storage_days": 0}', b'{"rules": true}', b'{"sensors": 1}', b'[]', b'{',
    ],
)  # fmt: skip
async def test_impossible_quotas_are_refused(platform, body):
    tenant = await platform.tenant()
    path = f"/v1/organizations/{tenant.organization_id}/quotas"
    headers = {
        "Authorization": "Bearer operator-token-of-the-tests", "Content-Type": "application/json"
    }  # fmt: skip
    answer = await platform.request("PUT", path, headers, body)
    assert (answer.status, answer.body["code"]) == (422, "invalid")
