"""Places over HTTP: said, read, searched."""

import uuid
from typing import Any

import pytest

from fleetplatform.wire.clock import wall_now_us

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
BERLIN = {"latitude": 52.52, "longitude": 13.405}


async def test_a_place_is_said_read_and_moves_forward_only(member: Any) -> None:
    path, now = f"{member.path()}/location", wall_now_us()
    assert await member.refused("GET", path) == (404, "no_location")
    said = await member.place(altitude_m=34.5, accuracy_m=5)
    assert said["organization_id"] == str(member.tenant.organization_id)
    assert said["device_id"] == str(member.tenant.devices["d0"].device_id)
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
        ({"latitude": 90.001}, "invalid_area"), ({"latitude": -91}, "invalid_area"),
        ({"longitude": 180.5}, "invalid_area"), ({"longitude": -1e300}, "invalid_area"),
        ({"accuracy_m": -1}, "invalid"), ({"valid_from_us": -1}, "invalid"),
        ({"valid_from_us": 2**62}, "invalid"), ({"valid_from_us": 10**18}, "invalid"),
        ({"latitude": None}, "invalid"), ({"height": 5}, "invalid"),
    ],
)  # fmt: skip
async def test_what_is_no_place_is_refused(member: Any, change: dict[str, Any], code: str) -> None:
    path = f"{member.path()}/location"
    assert await member.refused("PUT", path, BERLIN | change) == (422, code)
    assert await member.refused("GET", path) == (404, "no_location")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "-1e999", "1e-400", "9" * 5000])
async def test_impossible_numbers_are_never_an_error_of_the_platform(
    member: Any, number: str
) -> None:
    for body in (
        f'{{"latitude": {number}, "longitude": 1}}',
        f'{{"latitude": 1, "longitude": 1, "altitude_m": {number}}}',
        f'{{"latitude": 1, "longitude": 1, "valid_from_us": {number}}}',
    ):
        answer = await member.ask("PUT", f"{member.path()}/location", body.encode())
        assert answer.status in (200, 400, 422)
    for query in (f"near={number},1&radius=5", f"near=1,1&radius={number}", f"box=0,0,1,{number}"):
        assert (await member.ask("GET", f"/v1/locations?{query}")).status in (200, 400, 422)
    shape = f'{{"circle": {{"latitude": 1, "longitude": {number}, "radius_m": 5}}}}'
    body = f'{{"name": "{uuid.uuid4()}", "shape": {shape}}}'
    assert (await member.ask("POST", "/v1/geofences", body.encode())).status in (201, 400, 422)


async def test_the_history_in_pages_and_windows(member: Any) -> None:
    begin = wall_now_us() - 10 * MINUTE_US
    fixes = [(begin + k * SECOND_US, 50 + k / 100, 10.0) for k in range(7)]
    await member.report("d0", *fixes)
    path = f"{member.path()}/locations"
    found = await member.pages(f"{path}?limit=3", "locations")
    assert [(f["valid_from_us"], f["latitude"], f["longitude"]) for f in found] == fixes
    assert {one["source"] for one in found} == {"reported"}
    back = await member.pages(f"{path}?limit=2&sort=-valid_from", "locations")
    assert back == found[::-1]
    window = f"from_us={begin + SECOND_US}&until_us={begin + 4 * SECOND_US}"
    assert await member.pages(f"{path}?{window}&limit=1", "locations") == found[1:4]
    back = await member.pages(f"{path}?{window}&limit=2&sort=-valid_from", "locations")
    assert back == found[1:4][::-1]
    for wrong in ("cursor=xyz", "from_us=-1", "until_us=99999999999999999999", "limit=0"):
        assert (await member.refused("GET", f"{path}?{wrong}"))[0] in (400, 422)
    assert await member.refused("GET", f"{path}?sort=latitude") == (422, "invalid_sort")


async def test_devices_near_a_place_and_in_a_box(member: Any, platform_rows: Any) -> None:
    for serial, longitude in (("d0", 13.405), ("d1", 13.415), ("d2", 14.0)):
        await member.place(serial, longitude=longitude)
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
    parent, stranger = await member.parent(platform_rows), await member.other()
    seen = (await parent.call("GET", f"{near}=1000"))["locations"]
    assert seen == found
    assert {one["organization_id"] for one in seen} == {str(member.tenant.organization_id)}
    assert (await stranger.call("GET", f"{near}=1000"))["locations"] == []


@pytest.mark.parametrize(
    "query",
    [
        "", "near=1,2", "radius=5", "near=1,2&radius=5&box=1,2,3,4", "near=1&radius=5",
        "near=a,b&radius=5", "near=91,0&radius=5", "near=1,2&radius=0", "near=1,2&radius=1e9",
        "box=1,2,3", "box=3,0,1,0", "box=0,0,0,181", "box=nan,0,1,1",
    ],
)  # fmt: skip
async def test_what_is_no_area_is_refused(member: Any, query: str) -> None:
    assert await member.refused("GET", f"/v1/locations?{query}") == (422, "invalid_area")
