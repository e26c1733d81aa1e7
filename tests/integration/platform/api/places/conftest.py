"""What tests of places share: a service that knows a tracker, and somebody who asks it."""

import uuid
from typing import Any

import msgspec
import pytest

from fleetplatform.wire.resources.devices import NewDevice

TRACKERS = tuple(
    NewDevice(serial_number=f"d{number}", device_type="cold_chain_tracker") for number in range(3)
)
BERLIN = {"latitude": 52.52, "longitude": 13.405}


class Member:
    """Asks as a member of an organization with three trackers, or as a stranger to them."""

    def __init__(self, service: Any, tenant: Any, key: str) -> None:
        self.service, self.tenant, self.key = service, tenant, key

    def path(self, serial: str = "d0") -> str:
        """Where a device is found."""
        return f"/v1/devices/{self.tenant.devices[serial].device_id}"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One request and its answer."""
        sent = {"Authorization": f"Bearer {self.key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        if body is None:
            content = b""
        else:
            sent["Content-Type"] = "application/json"
        return await self.service.request(method, path, sent, content)

    async def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The body of an answer with that status."""
        answer = await self.ask(method, path, body)
        assert answer.status == status, answer.body
        return answer.body

    async def place(self, serial: str = "d0", **place: Any) -> Any:
        """Say where a device is; in Berlin if that is not said."""
        return await self.call("PUT", f"{self.path(serial)}/location", BERLIN | place)

    async def fence(self, name: str = "yard", shape: Any = None) -> str:
        """The path of a new geofence; a circle of 1 km in Berlin if that is not said."""
        body = {"name": name, "shape": shape or {"circle": BERLIN | {"radius_m": 1_000.0}}}
        made = await self.call("POST", "/v1/geofences", body, 201)
        return f"/v1/geofences/{made['geofence_id']}"

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and code of a refusal."""
        answer = await self.ask(method, path, body)
        assert answer.status >= 400, answer.body
        return answer.status, answer.body["code"]

    async def pages(self, path: str, noun: str) -> list[Any]:
        """Every item of a list, whose path has a query already."""
        found, more = [], await self.call("GET", path)
        while True:
            found += more[noun]
            if more["next_cursor"] is None:
                return found
            more = await self.call("GET", f"{path}&cursor={more['next_cursor']}")

    async def crossings(self, path: str) -> list[tuple[str, int]]:
        """Which events there were, and when."""
        events = await self.pages(f"{path}?limit=2", "events")
        return [(one["event"], one["occurred_at_us"]) for one in events]

    async def report(self, serial: str, *fixes: tuple[int, float, float]) -> Any:
        """One body of whole fixes (time, latitude, longitude), as the device sends it."""
        readings = [
            {"sensor": sensor, "t": time, "v": value}
            for time, latitude, longitude in fixes
            for sensor, value in (("latitude", latitude), ("longitude", longitude))
        ]
        answer = await self.service.post(self.tenant.token(serial), readings)
        assert answer.status == 200
        return answer.body

    async def other(self) -> "Member":
        """Somebody of another organization, who knows the paths of this one's devices."""
        stranger = await self.service.tenant()
        return Member(self.service, self.tenant, stranger.api_key)

    async def parent(self, rows: Any) -> "Member":
        """Somebody of an organization above."""
        above = await self.service.tenant()
        await rows.execute(
            "update iot.organizations set parent_id = $1 where organization_id = $2",
            above.organization_id,
            self.tenant.organization_id,
        )
        return Member(self.service, self.tenant, above.api_key)

    async def viewer(self, rows: Any, *serials: str) -> "Member":
        """Somebody who sees some of the devices only."""
        key = uuid.uuid4().hex
        ids = [self.tenant.devices[serial].device_id for serial in serials]
        await rows.execute(_LIMITED, self.tenant.organization_id, ids, key)
        return Member(self.service, self.tenant, key)


_LIMITED = """
with g as (
    insert into iot.device_groups (organization_id, name, kind)
    values ($1, 'shared', 'static') returning group_id
), u as (
    insert into iot.users (organization_id, name, role, sees_all)
    values ($1, 'viewer', 'viewer', false) returning user_id
), ug as (
    insert into iot.user_groups (organization_id, name)
    values ($1, 'viewers') returning user_group_id
), m as (
    insert into iot.device_group_members (organization_id, group_id, device_id)
    select $1, group_id, d from g, unnest($2::uuid[]) as d
), um as (
    insert into iot.user_group_members (organization_id, user_group_id, user_id)
    select $1, user_group_id, user_id from ug, u
), s as (
    insert into iot.device_group_shares (organization_id, user_group_id, group_id)
    select $1, user_group_id, group_id from ug, g
)
insert into iot.api_keys (organization_id, token_sha256, name, role, user_id)
select $1, sha256($3::text::bytea), 'theirs', 'viewer', user_id from u
"""


@pytest.fixture(scope="session")
async def trackers(platform: Any, specification: Any) -> Any:
    """The shared service, which knows the tracker."""
    async with platform.operator() as operator:
        await operator.put_device_type(specification("cold_chain_tracker"))
    return platform


@pytest.fixture
async def member(trackers: Any) -> Member:
    """Somebody of a new organization."""
    tenant = await trackers.tenant(*TRACKERS)
    return Member(trackers, tenant, tenant.api_key)
