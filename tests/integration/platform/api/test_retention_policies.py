"""Retention policies through the API."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.quotas import NewQuotas

PATH = "/v1/retention-policies"


class _Caller:
    def __init__(self, service: Any, token: str, organization: UUID, sensor: UUID) -> None:
        self._service, self._token = service, token
        self.organization, self.sensor = organization, sensor

    async def __call__(self, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        content = b"" if body is None else msgspec.json.encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._service.request(method, PATH + path, sent | named, content)


@pytest.fixture
async def call(platform: Any) -> _Caller:
    tenant = await platform.tenant(NewDevice(serial_number="r", device_type="thermometer"))
    return _Caller(platform, tenant.api_key, tenant.organization_id, tenant.sensor("r"))


async def test_a_policy_is_made_found_changed_and_deleted(call: _Caller) -> None:
    made = await call("POST", body={"keep_days": 30, "action": "delete"})
    assert made.status == 201
    one = f"/{made.body['retention_policy_id']}"
    found = await call("GET", one)
    assert found.body == made.body
    assert found.body["sensor_type"] is None
    changed = await call("PATCH", one, {"keep_days": 7}, If_Match=found.headers["etag"])
    assert (changed.status, changed.body["keep_days"], changed.body["action"]) == (200, 7, "delete")
    stale = await call("PATCH", one, {"keep_days": 8}, If_Match=found.headers["etag"])
    assert (stale.status, stale.body["code"]) == (412, "stale")
    assert (await call("DELETE", one)).status == 204
    gone = await call("GET", one)
    assert (gone.status, gone.body["code"]) == (404, "not_found")


async def test_policies_come_in_pages(call: _Caller) -> None:
    scopes = [{}, {"sensor_type": "humidity"}, {"device_type": "gateway"}]
    for scope in scopes:
        body = {"keep_days": 1, "action": "delete", **scope}
        assert (await call("POST", body=body)).status == 201
    first = (await call("GET", "?limit=2")).body
    rest = (await call("GET", f"?limit=2&cursor={first['next_cursor']}")).body
    listed = [*first["retention_policies"], *rest["retention_policies"]]
    assert [one["sensor_type"] for one in listed] == [None, "humidity", None]
    assert rest["next_cursor"] is None
    backwards = (await call("GET", "?sort=-created")).body["retention_policies"]
    assert backwards == listed[::-1]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"keep_days": 0, "action": "delete"}, 422, "invalid"),
        ({"keep_days": 36501, "action": "delete"}, 422, "invalid"),
        ({"keep_days": 9, "action": "burn"}, 422, "invalid"),
        ({"keep_days": 9, "action": "delete", "sensor_type": "smell"}, 422, "invalid"),
        ({"keep_days": 9, "action": "delete", "device_type": "teapot"}, 422, "invalid"),
        ({"keep_days": 9, "action": "archive"}, 409, "no_archive"),
        ({"keep_days": 9, "action": "delete", "sensor_id": "0" * 8 + "-0000" * 3 + "-" + "0" * 12},
         404, "not_found"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(
    call: _Caller, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await call("POST", body=body)
    assert (answer.status, answer.body["code"]) == (status, code)


async def test_a_second_policy_for_the_same_readings_is_refused(call: _Caller) -> None:
    body = {"keep_days": 9, "action": "delete", "sensor_id": str(call.sensor)}
    assert (await call("POST", body=body)).status == 201
    again = await call("POST", body=body)
    assert (again.status, again.body["code"]) == (409, "policy_exists")


async def test_no_policy_keeps_readings_longer_than_the_quota(platform: Any, call: _Caller) -> None:
    async with platform.operator() as operator:
        await operator.put_quotas(call.organization, NewQuotas(storage_days=10))
    refused = await call("POST", body={"keep_days": 11, "action": "delete"})
    assert (refused.status, refused.body["code"]) == (403, "quota_exceeded")
    assert "10 days" in refused.body["detail"]
    assert (await call("POST", body={"keep_days": 10, "action": "delete"})).status == 201
