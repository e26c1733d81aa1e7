"""How the tests of access speak with the shared service: one request with one token."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

OPERATOR_TOKEN = "operator-token-of-the-tests"


@dataclass(frozen=True)
class Reply:
    """What came back; `outcome` is its status and, of a refusal, its code."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def outcome(self) -> tuple[int, str | None]:
        return self.status, self.body["code"] if self.status >= 400 else None


@dataclass(frozen=True)
class Caller:
    """Somebody with a token; in another organization where it says so."""

    service: Any
    token: str
    organization: Any = None

    def acting_in(self, organization: Any) -> "Caller":
        return replace(self, organization=organization)

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.organization is not None:
            sent["Fleetstorm-Organization"] = str(self.organization)
        content = b"" if body is None else msgspec.json.encode(body)
        answer = await self.service.request(method, f"/v1{path}", sent, content)
        return Reply(answer.status, answer.body, answer.headers)

    async def made(self, path: str, body: Any) -> Any:
        """What a POST made."""
        reply = await self("POST", path, body)
        assert reply.status == 201, reply.body
        return reply.body

    async def seen(self, path: str, member: str, key: str) -> set[str]:
        """A member of each item of a list."""
        reply = await self("GET", path)
        assert reply.status == 200, reply.body
        return {one[key] for one in reply.body[member]}

    async def user(self, name: str, role: str, **more: Any) -> tuple[str, "Caller"]:
        """A new person and their key."""
        user = await self.made("/users", {"name": name, "role": role, **more})
        key = await self.made(f"/users/{user['user_id']}/keys", {"name": "k", "role": role})
        return user["user_id"], replace(self, token=key["token"])

    async def child(self, name: str = "child") -> tuple[str, "Caller"]:
        """A new organization below, and its own admin."""
        made = await self.made("/organizations", {"name": name})
        return made["organization_id"], Caller(self.service, made["api_key"])


NewCaller = Callable[..., Awaitable[tuple[Any, Caller]]]


@pytest.fixture
def caller(platform: Any) -> NewCaller:
    """A new organization of the shared service, with devices, and its first admin."""

    async def make(*devices: Any) -> tuple[Any, Caller]:
        tenant = await platform.tenant(*devices)
        return tenant, Caller(platform, tenant.api_key)

    return make


@pytest.fixture
def platform_operator(platform: Any) -> Caller:
    """The operator of the shared service."""
    return Caller(platform, OPERATOR_TOKEN)
