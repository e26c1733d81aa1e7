"""Requests as anybody makes them, and what tests of first contact do over and over."""

from typing import Any

import msgspec
from pki import Party

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.provisioning import FirstContact

HOUR_US = 3_600_000_000
JSON = {"Content-Type": "application/json"}


class Caller:
    """Requests with one token, as anybody makes them."""

    def __init__(self, service: Any, token: str | None) -> None:
        self.service = service
        self.headers = JSON | ({} if token is None else {"Authorization": f"Bearer {token}"})

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = b"" if body is None else msgspec.json.encode(body)
        return await self.service.request(method, path, self.headers | headers, content)

    async def raw(self, path: str, body: bytes) -> Any:
        return await self.service.request("POST", path, self.headers, body)

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.call(method, path, body)
        assert answer.status < 300, answer
        return answer.body

    async def refusal(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = await self.call(method, path, body, **headers)
        assert answer.status >= 400, answer
        return answer.status, answer.body["code"]


async def trust(people: Caller, party: Party, **more: Any) -> dict[str, Any]:
    body = {"name": "factory", "certificate": party.pem} | more
    return await people.ok("POST", "/v1/certificate-authorities", body)


async def register(people: Caller, serial: str, kind: str = "thermometer") -> str:
    body = {"serial_number": serial, "device_type": kind}
    made = await people.ok("POST", "/v1/devices", body)
    assert made["token"] is None
    return made["device_id"]


async def provision(anybody: Caller, contact: FirstContact) -> dict[str, Any]:
    return await anybody.ok("POST", "/v1/provision", contact)


async def state(rows, organization: str) -> list[Any]:
    """Everything that a first contact writes for an organization."""
    tables = ("devices", "device_credentials", "device_certificates", "claim_tokens",
              "device_configuration_versions", "sensors", "audit_log")  # fmt: skip
    query = "select * from iot.{} where organization_id = $1 order by 2"
    return [await rows.fetch(query.format(table), organization) for table in tables]


async def claim(people: Caller, **more: Any) -> dict[str, Any]:
    body = {"expires_at_us": wall_now_us() + HOUR_US} | more
    return await people.ok("POST", "/v1/claim-tokens", body)
