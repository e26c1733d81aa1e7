"""Places and geofences over HTTP, told by people and reported by devices."""

import asyncio
import hashlib
import uuid
from typing import Any

import msgspec
import pytest

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice

TRACKERS = tuple(
    NewDevice(serial_number=f"d{number}", device_type="cold_chain_tracker") for number in range(3)
)
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
BERLIN = {"latitude": 52.52, "longitude": 13.405}


@pytest.fixture(scope="session")
async def trackers(platform: Any, specification: Any) -> Any:
    """The shared service, which knows the tracker."""
    async with platform.operator() as operator:
        await operator.put_device_type(specification("cold_chain_tracker"))
    return platform


class Member:
    """Asks as a member of an organization; `call` gives the body, and holds the status."""

    def __init__(self, service: Any, key: str) -> None:
        self.service, self.key = service, key

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else msgspec.json.encode(body)
        if isinstance(body, bytes):
            content = body
        if content:
            sent["Content-Type"] = "application/json"
        return await self.service.request(method, path, sent, content)

    async def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.ask(method, path, body)
        assert answer.status == status, answer.body
        return answer.body

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        answer = await self.ask(method, path, body)
        assert answer.status >= 400, answer.body
        return answer.status, answer.body["code"]

    async def pages(self, path: str, noun: str) -> list[Any]:
        """Every item of a list."""
        found, more = [], await self.call("GET", path)
        while True:
            found += more[noun]
            if more["next_cursor"] is None:
                return found
            more = await self.call("GET", f"{path}&cursor={more['next_cursor']}")


@pytest.fixture
async def tenant(trackers: Any) -> Any:
    return await trackers.tenant(*TRACKERS)


@pytest.fixture
def member(trackers: Any, tenant: Any) -> Member:
    return Member(trackers, tenant.api_key)


def path_of(tenant: Any, serial: str = "d0") -> str:
    return f"/v1/devices/{tenant.devices[serial].device_id}"


async def report(service: Any, tenant: Any, serial: str, *fixes: tuple[int, float, float]) -> Any:
    """One body of whole fixes (time, latitude, longitude), as the device sends it."""
    readings = [
        {"sensor": sensor, "t": time, "v": value}
        for time, latitude, longitude in fixes
        for sensor, value in (("latitude", latitude), ("longitude", longitude))
    ]
    answer = await service.post(tenant.token(serial), readings)
    assert answer.status == 200
    return answer.body


def fence(name: str = "yard", radius_m: float = 1_000.0, **middle: float) -> dict[str, Any]:
    return {"name": name, "shape": {"circle": (middle or BERLIN) | {"radius_m": radius_m}}}


async def test_a_place_is_said_read_and_moves_forward_only(member: Member, tenant: Any) -> None:
    path, now = f"{path_of(tenant)}/location", wall_now_us()
    assert await member.refused("GET", path) == (404, "no_location")
    said = await member.call("PUT", path, BERLIN | {"altitude_m": 34.5, "accuracy_m": 5})
    assert said["organization_id"] == str(tenant.organization_id)
    assert said["device_id"] == str(tenant.devices["d0"].device_id)
    assert (said["latitude"], said["longitude"], said["source"]) == (52.52, 13.405, "api")
    assert (said["altitude_m"], said["accuracy_m"]) == (34.5, 5)
    assert now - SECOND_US < said["valid_from_us"] < now + 60 * SECOND_US
    assert await member.call("GET", path) == said

    older = {"latitude": 1, "longitude": 2, "valid_from_us": now - MINUTE_US}
    assert (await member.call("PUT", path, older))["latitude"] == 1
    assert await member.call("PUT", path, older) == await member.call("PUT", path, older)
    assert await member.call("GET", path) == said
    assert await member.refused("PUT", path, older | {"latitude": 1.5}) == (409, "conflict")
    history = await member.call("GET", f"{path}s")
    assert [one["latitude"] for one in history["locations"]] == [1, 52.52]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"latitude": 90.001}, "invalid_area"),
        ({"latitude": -91}, "invalid_area"),
        ({"longitude": 180.5}, "invalid_area"),
        ({"longitude": -1e300}, "invalid_area"),
        ({"accuracy_m": -1}, "invalid"),
        ({"valid_from_us": -1}, "invalid"),
        ({"valid_from_us": 2**62}, "invalid"),
        ({"valid_from_us": 10**18}, "invalid"),
        ({"latitude": None}, "invalid"),
        ({"height": 5}, "invalid"),
    ],
)
async def test_what_is_no_place_is_refused(
    member: Member, tenant: Any, change: dict[str, Any], code: str
) -> None:
    path = f"{path_of(tenant)}/location"
    assert await member.refused("PUT", path, BERLIN | change) == (422, code)
    assert await member.refused("GET", path) == (404, "no_location")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999", "1e-400"])
async def test_impossible_numbers_are_never_an_error_of_the_platform(
    member: Member, tenant: Any, number: str
) -> None:
    for body in (
        f'{{"latitude": {number}, "longitude": 1}}',
        f'{{"latitude": 1, "longitude": 1, "altitude_m": {number}}}',
    ):
        answer = await member.ask("PUT", f"{path_of(tenant)}/location", body.encode())
        assert answer.status in (200, 400, 422)
    for query in (f"near={number},1&radius=5", f"near=1,1&radius={number}", f"box=0,0,1,{number}"):
        answer = await member.ask("GET", f"/v1/locations?{query}")
        assert answer.status in (200, 400, 422)
    shape = f'{{"circle": {{"latitude": 1, "longitude": {number}, "radius_m": 5}}}}'
    body = f'{{"name": "{uuid.uuid4()}", "shape": {shape}}}'
    assert (await member.ask("POST", "/v1/geofences", body.encode())).status in (201, 400, 422)


async def test_the_history_in_pages_and_windows(
    trackers: Any, member: Member, tenant: Any
) -> None:
    begin = wall_now_us() - 10 * MINUTE_US
    fixes = [(begin + k * SECOND_US, 50 + k / 100, 10.0) for k in range(7)]
    await report(trackers, tenant, "d0", *fixes)
    path = f"{path_of(tenant)}/locations"
    found = await member.pages(f"{path}?limit=3", "locations")
    assert [(f["valid_from_us"], f["latitude"], f["longitude"]) for f in found] == fixes
    assert {one["source"] for one in found} == {"reported"}
    back = await member.pages(f"{path}?limit=2&sort=-valid_from", "locations")
    assert back == found[::-1]
    window = f"from_us={begin + SECOND_US}&until_us={begin + 4 * SECOND_US}"
    assert await member.pages(f"{path}?{window}&limit=1", "locations") == found[1:4]
    assert await member.pages(f"{path}?{window}&limit=2&sort=-valid_from", "locations") == (
        found[1:4][::-1]
    )
    for wrong in ("cursor=xyz", "from_us=-1", "until_us=99999999999999999999", "limit=0"):
        assert (await member.refused("GET", f"{path}?{wrong}"))[0] in (400, 422)
    assert await member.refused("GET", f"{path}?sort=latitude") == (422, "invalid_sort")


async def test_devices_near_a_place_and_in_a_box(
    trackers: Any, member: Member, tenant: Any, platform_rows: Any
) -> None:
    for serial, longitude in (("d0", 13.405), ("d1", 13.415), ("d2", 14.0)):
        await member.call("PUT", f"{path_of(tenant, serial)}/location", {
            "latitude": 52.52, "longitude": longitude,
        })  # fmt: skip
    near = "/v1/locations?near=52.52,13.405&radius"
    found = (await member.call("GET", f"{near}=1000"))["locations"]
    assert [one["serial_number"] for one in found] == ["d0", "d1"]
    assert [one["distance_m"] for one in found] == pytest.approx([0, 676.6], abs=0.1)
    everywhere = await member.pages(f"{near}=20000000&limit=1", "locations")
    assert [one["serial_number"] for one in everywhere] == ["d0", "d1", "d2"]
    back = await member.pages(f"{near}=20000000&limit=1&sort=-distance", "locations")
    assert back == everywhere[::-1]
    box = (await member.call("GET", "/v1/locations?box=52,13.41,53,15"))["locations"]
    assert {one["serial_number"] for one in box} == {"d1", "d2"}
    assert (await member.call("GET", "/v1/locations?box=52,14.5,53,13"))["locations"] == []

    # A parent organization sees its descendants' devices, and nobody else does.
    parent, stranger = await trackers.tenant(), await trackers.tenant()
    await platform_rows.execute(
        "update iot.organizations set parent_id = $1 where organization_id = $2",
        parent.organization_id,
        tenant.organization_id,
    )
    seen = (await Member(trackers, parent.api_key).call("GET", f"{near}=1000"))["locations"]
    assert seen == found
    assert {one["organization_id"] for one in seen} == {str(tenant.organization_id)}
    hidden = await Member(trackers, stranger.api_key).call("GET", f"{near}=1000")
    assert hidden["locations"] == []


@pytest.mark.parametrize(
    "query",
    [
        "", "near=1,2", "radius=5", "near=1,2&radius=5&box=1,2,3,4", "near=1&radius=5",
        "near=a,b&radius=5", "near=91,0&radius=5", "near=1,2&radius=0", "near=1,2&radius=1e9",
        "box=1,2,3", "box=3,0,1,0", "box=0,0,0,181", "box=nan,0,1,1",
    ],
)  # fmt: skip
async def test_what_is_no_area_is_refused(member: Member, query: str) -> None:
    assert await member.refused("GET", f"/v1/locations?{query}") == (422, "invalid_area")


async def test_a_geofence_from_its_making_to_its_end(member: Member) -> None:
    made = await member.call("POST", "/v1/geofences", fence(), 201)
    path = f"/v1/geofences/{made['geofence_id']}"
    assert made["shape"] == fence()["shape"]
    answer = await member.ask("GET", path)
    assert (answer.body, answer.headers["etag"]) == (made, f'"{made["revision"]}"')
    assert await member.refused("POST", "/v1/geofences", fence()) == (409, "conflict")

    corners = [[52, 13], [52, 14], [53, 14]]
    changed = await member.call("PATCH", path, {"shape": {"polygon": corners}})
    assert changed["name"] == "yard"
    assert changed["shape"] == {"polygon": corners}
    answer = await member.ask("PATCH", path, {"name": "x"}, If_Match=f'"{made["revision"]}"')
    assert (answer.status, answer.body["code"]) == (412, "stale")
    answer = await member.ask("DELETE", path, If_Match=f'"{made["revision"]}"')
    assert (answer.status, answer.body["code"]) == (412, "stale")
    await member.call("POST", "/v1/geofences", fence("a"), 201)
    await member.call("POST", "/v1/geofences", fence("z"), 201)
    names = [one["name"] for one in await member.pages("/v1/geofences?limit=1", "geofences")]
    assert names == ["a", "yard", "z"]
    back = await member.pages("/v1/geofences?limit=2&sort=-name", "geofences")
    assert [one["name"] for one in back] == names[::-1]
    assert await member.refused("PATCH", path, {"name": "a"}) == (409, "conflict")
    await member.call("DELETE", path, status=204)
    for method, body in (("GET", None), ("PATCH", {"name": "b"}), ("DELETE", None)):
        assert await member.refused(method, path, body) == (404, "not_found")
    await member.call("POST", "/v1/geofences", fence("yard"), 201)


@pytest.mark.parametrize(
    "shape",
    [
        {}, {"circle": {**BERLIN, "radius_m": 5}, "polygon": [[0, 0], [0, 1], [1, 1]]},
        {"circle": {**BERLIN, "radius_m": 0}}, {"circle": {**BERLIN, "radius_m": 1e10}},
        {"polygon": [[0, 0], [0, 1]]}, {"polygon": [[0, 0], [1, 1], [2, 2]]},
        {"polygon": [[80, 0], [80, 120], [80, -120]]}, {"polygon": [[0, 0], [0, 1], [91, 0]]},
        {"polygon": [[0, k / 10_000] for k in range(1_001)]},
    ],
)  # fmt: skip
async def test_what_is_no_shape_is_refused(member: Member, shape: dict[str, Any]) -> None:
    body = {"name": "wrong", "shape": shape}
    assert await member.refused("POST", "/v1/geofences", body) == (422, "invalid_area")


async def _crossings(member: Member, path: str) -> list[tuple[str, int]]:
    events = await member.pages(f"{path}?limit=2", "events")
    return [(one["event"], one["occurred_at_us"]) for one in events]


async def test_readings_make_events_once_in_order_of_measurement(
    trackers: Any, member: Member, tenant: Any
) -> None:
    made = await member.call("POST", "/v1/geofences", fence(), 201)
    by_fence = f"/v1/geofences/{made['geofence_id']}/events"
    by_device = f"{path_of(tenant)}/geofence-events"
    begin = wall_now_us() - 30 * MINUTE_US
    inside, outside = (52.521, 13.406), (52.6, 13.6)

    def at(minute: int, place: tuple[float, float]) -> tuple[int, float, float]:
        return begin + minute * MINUTE_US, *place

    course = [at(1, outside), at(2, inside), at(3, inside), at(4, outside), at(5, inside)]
    await report(trackers, tenant, "d0", *course)
    expected = [("enter", course[1][0]), ("leave", course[3][0]), ("enter", course[4][0])]
    assert await _crossings(member, by_device) == expected
    # Again, and late: nothing more, but what is late is history.
    assert (await report(trackers, tenant, "d0", *course))["duplicates"] == 2 * len(course)
    await report(trackers, tenant, "d0", (begin + MINUTE_US // 2, *inside), at(0, inside))
    assert await _crossings(member, by_device) == expected
    history = await member.pages(f"{path_of(tenant)}/locations?limit=100", "locations")
    assert len(history) == len(course) + 2
    # In halves, the other half with the next body.
    time, latitude, longitude = at(6, outside)
    for sensor, value in (("longitude", longitude), ("latitude", latitude)):
        answer = await trackers.post(
            tenant.token("d0"), [{"sensor": sensor, "t": time, "v": value}]
        )
        assert answer.body["accepted"] == 1
    expected.append(("leave", time))
    # Somebody says where it is: that counts too.
    said = await member.call("PUT", f"{path_of(tenant)}/location", BERLIN)
    expected.append(("enter", said["valid_from_us"]))
    assert await _crossings(member, by_device) == expected
    assert await _crossings(member, by_fence) == expected
    newest = await member.call("GET", f"{by_fence}?sort=-occurred_at&limit=1")
    assert newest["events"][0]["occurred_at_us"] == said["valid_from_us"]
    window = f"from_us={expected[1][1]}&until_us={expected[3][1]}"
    found = await member.pages(f"{by_device}?{window}&limit=1&sort=-occurred_at", "events")
    assert [(one["event"], one["occurred_at_us"]) for one in found] == expected[1:3][::-1]
    # What happened stays with the device when the geofence goes.
    await member.call("DELETE", f"/v1/geofences/{made['geofence_id']}", status=204)
    assert await member.refused("GET", by_fence) == (404, "not_found")
    await member.call("PUT", f"{path_of(tenant)}/location", {"latitude": 0, "longitude": 0})
    assert await _crossings(member, by_device) == expected


async def test_a_changed_shape_counts_from_the_next_fix(member: Member, tenant: Any) -> None:
    made = await member.call("POST", "/v1/geofences", fence(), 201)
    path = f"/v1/geofences/{made['geofence_id']}"
    for _ in range(2):
        await member.call("PUT", f"{path_of(tenant)}/location", BERLIN)
    far = fence(latitude=0.0, longitude=179.999)["shape"]
    await member.call("PATCH", path, {"shape": far})
    assert [event for event, _ in await _crossings(member, f"{path}/events")] == ["enter"]
    await member.call("PUT", f"{path_of(tenant)}/location", BERLIN)
    await member.call("PUT", f"{path_of(tenant)}/location", {"latitude": 0, "longitude": -179.999})
    events = [event for event, _ in await _crossings(member, f"{path}/events")]
    assert events == ["enter", "leave", "enter"]


async def test_fixes_that_are_said_at_once_cross_each_border_once(
    member: Member, tenant: Any
) -> None:
    made = await member.call("POST", "/v1/geofences", fence(), 201)
    path, begin = path_of(tenant), wall_now_us() - MINUTE_US
    places = [BERLIN if k % 2 else {"latitude": 1, "longitude": 1} for k in range(16)]
    said = [place | {"valid_from_us": begin + k * 1000} for k, place in enumerate(places)]
    await asyncio.gather(*(member.call("PUT", f"{path}/location", one) for one in said))
    history = await member.pages(f"{path}/locations?limit=10", "locations")
    assert [one["valid_from_us"] for one in history] == [one["valid_from_us"] for one in said]
    assert (await member.call("GET", f"{path}/location"))["valid_from_us"] == begin + 15_000
    events = await _crossings(member, f"/v1/geofences/{made['geofence_id']}/events")
    kinds = [event for event, _ in events]
    assert kinds == ["enter", "leave"] * (len(kinds) // 2) + ["enter"]


async def test_a_parent_sees_and_does_not_change(
    trackers: Any, member: Member, tenant: Any, platform_rows: Any
) -> None:
    made = await member.call("POST", "/v1/geofences", fence(), 201)
    await member.call("PUT", f"{path_of(tenant)}/location", BERLIN)
    above = await trackers.tenant()
    await platform_rows.execute(
        "update iot.organizations set parent_id = $1 where organization_id = $2",
        above.organization_id,
        tenant.organization_id,
    )
    parent, path = Member(trackers, above.api_key), f"/v1/geofences/{made['geofence_id']}"
    assert await parent.call("GET", path) == made
    assert len(await parent.pages(f"{path}/events?limit=5", "events")) == 1
    assert len(await parent.pages(f"{path_of(tenant)}/locations?limit=5", "locations")) == 1
    for method, url, body in (
        ("PUT", f"{path_of(tenant)}/location", BERLIN), ("PATCH", path, {"name": "mine"}),
        ("DELETE", path, None),
    ):  # fmt: skip
        assert await parent.refused(method, url, body) == (404, "not_found")


ROUTES = [
    ("PUT", "{device}/location", BERLIN), ("GET", "{device}/location", None),
    ("GET", "{device}/locations", None), ("GET", "{device}/geofence-events", None),
    ("GET", "{fence}", None), ("PATCH", "{fence}", {"name": "mine"}), ("DELETE", "{fence}", None),
    ("GET", "{fence}/events", None),
]  # fmt: skip


async def test_what_is_foreign_is_as_unknown_as_what_does_not_exist(
    trackers: Any, member: Member, tenant: Any
) -> None:
    made = await member.call("POST", "/v1/geofences", fence(), 201)
    await member.call("PUT", f"{path_of(tenant)}/location", BERLIN)
    stranger = Member(trackers, (await trackers.tenant()).api_key)
    for method, path, body in ROUTES:
        answers = []
        for device, geofence in (
            (tenant.devices["d0"].device_id, made["geofence_id"]),
            (uuid.uuid4(), uuid.uuid4()),
        ):
            url = path.format(device=f"/v1/devices/{device}", fence=f"/v1/geofences/{geofence}")
            answers.append(await stranger.ask(method, url, body))
        assert answers[0].body == answers[1].body
        assert (answers[0].status, answers[0].body["code"]) == (404, "not_found")
    assert (await stranger.call("GET", "/v1/geofences"))["geofences"] == []
    assert (await member.call("GET", f"/v1/geofences/{made['geofence_id']}")) == made


async def _limited_key(conn: Any, tenant: Any, serials: list[str]) -> str:
    """The key of a viewer who sees some devices only."""
    key, owner = uuid.uuid4().hex, tenant.organization_id
    ids = [tenant.devices[serial].device_id for serial in serials]
    await conn.execute(
        """
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
        select $1, $3, 'theirs', 'viewer', user_id from u
        """,
        owner,
        ids,
        hashlib.sha256(key.encode()).digest(),
    )
    return key


async def test_a_viewer_of_some_devices_sees_their_places_and_events_only(
    trackers: Any, member: Member, tenant: Any, platform_rows: Any
) -> None:
    made = await member.call("POST", "/v1/geofences", fence(), 201)
    for serial in ("d0", "d1"):
        await member.call("PUT", f"{path_of(tenant, serial)}/location", BERLIN)
    viewer = Member(trackers, await _limited_key(platform_rows, tenant, ["d1"]))
    near = await viewer.call("GET", "/v1/locations?near=52.52,13.405&radius=1000")
    assert [one["serial_number"] for one in near["locations"]] == ["d1"]
    events = (await viewer.call("GET", f"/v1/geofences/{made['geofence_id']}/events"))["events"]
    assert [one["device_id"] for one in events] == [str(tenant.devices["d1"].device_id)]
    assert (await viewer.call("GET", f"{path_of(tenant, 'd1')}/location"))["latitude"] == 52.52
    for route in ("location", "locations", "geofence-events"):
        path = f"{path_of(tenant, 'd0')}/{route}"
        assert await viewer.refused("GET", path) == (404, "not_found")
    for method, path, body in (
        ("PUT", f"{path_of(tenant, 'd1')}/location", BERLIN),
        ("POST", "/v1/geofences", fence("theirs")),
        ("DELETE", f"/v1/geofences/{made['geofence_id']}", None),
    ):
        assert await viewer.refused(method, path, body) == (403, "forbidden")
