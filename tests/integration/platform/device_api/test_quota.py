"""An organization that sends more than its quota is told to wait, and nobody else is."""

import http.client
import time

from fleetplatform.client import Client
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.quotas import NewQuotas

THERMOMETER = NewDevice(serial_number="t", device_type="thermometer")
METRIC = 'fleetstorm_requests_over_quota_total{quota="readings_per_s"} '


DAY_US = 86_400_000_000


def aged(days: float) -> dict[str, object]:
    return {"sensor": "temperature", "t": wall_now_us() - round(days * DAY_US), "v": 1.0}


def readings(count: int) -> list[dict[str, object]]:
    now_us = wall_now_us()
    return [{"sensor": "temperature", "t": now_us - i, "v": 1.0} for i in range(count)]


async def limited(platform, eventually, rate: float):
    """An organization with a quota that ingest has heard of."""
    tenant = await platform.tenant(THERMOMETER)
    await platform.operator().put_quotas(
        tenant.organization_id, NewQuotas(readings_per_s=rate)
    )

    async def holds() -> bool:
        return (await platform.post(tenant.token("t"), readings(40))).status == 429

    await eventually(holds)
    return tenant


async def over_quota(platform) -> float:
    page = (await platform.request("GET", "/metrics", {}, b"")).body.decode()
    found = [line for line in page.splitlines() if line.startswith(METRIC)]
    return float(found[0].removeprefix(METRIC)) if found else 0.0


async def test_a_request_beyond_the_quota_is_refused_before_its_body_is_decoded(
    platform, eventually
):
    tenant = await limited(platform, eventually, 4)
    before = await over_quota(platform)
    answer = await platform.post(tenant.token("t"), b"\x00 this is no body", kind="text/plain")
    assert (answer.status, answer.body["code"]) == (429, "quota_exceeded_rate")
    assert 1 <= int(answer.headers["retry-after"]) <= 3600
    assert await over_quota(platform) == before + 1


async def test_after_retry_after_the_same_readings_are_taken(platform, platform_rows, eventually):
    tenant = await limited(platform, eventually, 40)
    body = readings(3)
    refused = await platform.post(tenant.token("t"), body)
    assert refused.status == 429
    deadline = time.monotonic() + int(refused.headers["retry-after"])

    async def taken() -> bool:
        answer = await platform.post(tenant.token("t"), body)
        return answer.status == 200 and answer.body["accepted"] == 3

    await eventually(taken)
    assert time.monotonic() < deadline + 1.5


async def test_nobody_else_waits_for_an_organization_in_debt(platform, eventually):
    tenant = await limited(platform, eventually, 1)
    neighbour = await platform.tenant(THERMOMETER)
    for _ in range(3):
        assert (await platform.post(tenant.token("t"), readings(1))).status == 429
        assert (await platform.post(neighbour.token("t"), readings(50))).status == 200


async def test_a_quota_that_is_lifted_is_lifted_within_a_notification(platform, eventually):
    tenant = await limited(platform, eventually, 0.01)
    await platform.operator().put_quotas(tenant.organization_id, NewQuotas())

    async def taken() -> bool:
        return (await platform.post(tenant.token("t"), readings(1))).status == 200

    await eventually(taken, 2.0)


async def test_a_connection_outlives_a_refusal_with_a_body_unread(platform, eventually):
    tenant = await limited(platform, eventually, 1)
    connection = http.client.HTTPConnection(platform.settings.host, platform.settings.port)
    headers = {
        "Authorization": f"Bearer {tenant.token('t')}", "Content-Type": "application/json"
    }  # fmt: skip
    try:
        for _ in range(5):
            connection.request("POST", "/v1/readings", b"x" * 200_000, headers)
            response = connection.getresponse()
            assert (response.status, response.read() != b"") == (429, True)
            assert response.getheader("connection") != "close"
    finally:
        connection.close()


async def test_usage_says_what_was_sent_of_late(platform, eventually):
    tenant = await platform.tenant(THERMOMETER)
    client = Client(platform.url, tenant.api_key)
    assert (await platform.post(tenant.token("t"), readings(100))).status == 200

    async def seen() -> bool:
        return (await client.usage(tenant.organization_id)).readings_per_s.used > 10

    await eventually(seen)


async def test_readings_older_than_the_storage_days_are_refused_and_their_age_is_reported(
    platform, eventually
):
    """Virtual time of the shared service is the wall clock's."""
    tenant = await platform.tenant(THERMOMETER)
    await platform.operator().put_quotas(tenant.organization_id, NewQuotas(storage_days=3))

    async def holds() -> bool:
        answer = await platform.post(tenant.token("t"), [aged(3.01)])
        return [one["code"] for one in answer.body["rejected"]] == ["quota_exceeded"]

    await eventually(holds)
    answer = await platform.post(tenant.token("t"), [aged(3.01), aged(2.5), aged(0)])
    assert (answer.status, answer.body["accepted"], answer.body["rejected_total"]) == (200, 2, 1)
    usage = await Client(platform.url, tenant.api_key).usage(tenant.organization_id)
    assert usage.storage_days.limit == 3
    assert usage.storage_days.used in (2, 3)
