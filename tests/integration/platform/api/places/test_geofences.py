"""Geofences over HTTP, and the events of devices that are moved or report where they are."""

import asyncio
import uuid
from typing import Any

import pytest

from fleetplatform.wire.clock import wall_now_us

MINUTE_US = 60_000_000
BERLIN = {"latitude": 52.52, "longitude": 13.405}


def circle(name: str = "yard") -> dict[str, Any]:
    return {"name": name, "shape": {"circle": BERLIN | {"radius_m": 1_000.0}}}


async def test_a_geofence_from_its_making_to_its_end(member: Any) -> None:
    made = await member.call("POST", "/v1/geofences", circle(), 201)
    path = f"/v1/geofences/{made['geofence_id']}"
    assert made["shape"] == circle()["shape"]
    answer = await member.ask("GET", path)
    assert (answer.body, answer.headers["etag"]) == (made, f'"{made["revision"]}"')
    assert await member.refused("POST", "/v1/geofences", circle()) == (409, "conflict")

    corners = [[52, 13], [52, 14], [53, 14]]
    changed = await member.call("PATCH", path, {"shape": {"polygon": corners}})
    assert changed["name"] == "yard"
    assert changed["shape"] == {"polygon": corners}
    answer = await member.ask("PATCH", path, {"name": "x"}, If_Match=f'"{made["revision"]}"')
    assert (answer.status, answer.body["code"]) == (412, "stale")
    answer = await member.ask("DELETE", path, If_Match=f'"{made["revision"]}"')
    assert (answer.status, answer.body["code"]) == (412, "stale")
    await member.call("POST", "/v1/geofences", circle("a"), 201)
    await member.call("POST", "/v1/geofences", circle("z"), 201)
    names = [one["name"] for one in await member.pages("/v1/geofences?limit=1", "geofences")]
    assert names == ["a", "yard", "z"]
    back = await member.pages("/v1/geofences?limit=2&sort=-name", "geofences")
    assert [one["name"] for one in back] == names[::-1]
    assert await member.refused("PATCH", path, {"name": "a"}) == (409, "conflict")
    await member.call("DELETE", path, status=204)
    for method, body in (("GET", None), ("PATCH", {"name": "b"}), ("DELETE", None)):
        assert await member.refused(method, path, body) == (404, "not_found")
    await member.call("POST", "/v1/geofences", circle("yard"), 201)


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
async def test_what_is_no_shape_is_refused(member: Any, shape: dict[str, Any]) -> None:
    body = {"name": "wrong", "shape": shape}
    assert await member.refused("POST", "/v1/geofences", body) == (422, "invalid_area")


async def test_readings_make_events_once_in_order_of_measurement(member: Any) -> None:
    made = await member.fence()
    by_fence, by_device = f"{made}/events", f"{member.path()}/geofence-events"
    begin = wall_now_us() - 30 * MINUTE_US
    inside, outside = (52.521, 13.406), (52.6, 13.6)

    def at(minute: int, place: tuple[float, float]) -> tuple[int, float, float]:
        return begin + minute * MINUTE_US, *place

    course = [at(1, outside), at(2, inside), at(3, inside), at(4, outside), at(5, inside)]
    await member.report("d0", *course)
    expected = [("enter", course[1][0]), ("leave", course[3][0]), ("enter", course[4][0])]
    assert await member.crossings(by_device) == expected
    # Again, and late: nothing more, but what is late is history.
    assert (await member.report("d0", *course))["duplicates"] == 2 * len(course)
    await member.report("d0", (begin + MINUTE_US // 2, *inside), at(0, inside))
    assert await member.crossings(by_device) == expected
    history = await member.pages(f"{member.path()}/locations?limit=100", "locations")
    assert len(history) == len(course) + 2
    # In halves, the other half with the next body.
    time, latitude, longitude = at(6, outside)
    for sensor, value in (("longitude", longitude), ("latitude", latitude)):
        token, half = member.tenant.token("d0"), {"sensor": sensor, "t": time, "v": value}
        assert (await member.service.post(token, [half])).body["accepted"] == 1
    expected.append(("leave", time))
    # Somebody says where it is: that counts too.
    said = await member.place()
    expected.append(("enter", said["valid_from_us"]))
    assert await member.crossings(by_device) == expected
    assert await member.crossings(by_fence) == expected
    newest = await member.call("GET", f"{by_fence}?sort=-occurred_at&limit=1")
    assert newest["events"][0]["occurred_at_us"] == said["valid_from_us"]
    window = f"from_us={expected[1][1]}&until_us={expected[3][1]}"
    found = await member.pages(f"{by_device}?{window}&limit=1&sort=-occurred_at", "events")
    assert [(one["event"], one["occurred_at_us"]) for one in found] == expected[1:3][::-1]
    # What happened stays with the device when the geofence goes.
    await member.call("DELETE", made, status=204)
    assert await member.refused("GET", by_fence) == (404, "not_found")
    await member.place(latitude=0)
    assert await member.crossings(by_device) == expected


async def test_a_changed_shape_counts_from_the_next_fix(member: Any) -> None:
    path = await member.fence()
    await member.place()
    await member.place()
    far = {"circle": {"latitude": 0.0, "longitude": 179.999, "radius_m": 1_000.0}}
    await member.call("PATCH", path, {"shape": far})
    assert [event for event, _ in await member.crossings(f"{path}/events")] == ["enter"]
    await member.place()
    await member.place(latitude=0, longitude=-179.999)
    events = [event for event, _ in await member.crossings(f"{path}/events")]
    assert events == ["enter", "leave", "enter"]


async def test_fixes_that_are_said_at_once_cross_each_border_once(member: Any) -> None:
    made, begin = await member.fence(), wall_now_us() - MINUTE_US
    said = [
        {"latitude": 52.52 if k % 2 else 1.0, "valid_from_us": begin + k * 1_000}
        for k in range(16)
    ]
    await asyncio.gather(*(member.place(**one) for one in said))
    history = await member.pages(f"{member.path()}/locations?limit=10", "locations")
    assert [one["valid_from_us"] for one in history] == [one["valid_from_us"] for one in said]
    place = await member.call("GET", f"{member.path()}/location")
    assert place["valid_from_us"] == begin + 15_000
    kinds = [event for event, _ in await member.crossings(f"{made}/events")]
    assert kinds == ["enter", "leave"] * (len(kinds) // 2) + ["enter"]


@pytest.mark.parametrize(
    ("shape", "inside", "outside"),
    [
        (
            {"polygon": [[-1, 179], [-1, -179], [1, -179], [1, 179]]},
            [(0, 179.5), (0, -179.5), (0, 180), (0, -180)],
            [(0, 178.9), (0, -178.9), (0, 0), (1.1, 180)],
        ),
        (
            {"circle": {"latitude": -89.9, "longitude": 20, "radius_m": 30_000}},
            [(-89.9, 20), (-90, 111), (-89.9, -160), (-89.95, 180)],
            [(-89.6, 20), (-89.8, -160), (90, 0)],
        ),
    ],
)
async def test_geofences_over_the_antimeridian_and_around_a_pole(
    member: Any, shape: Any, inside: Any, outside: Any
) -> None:
    path = await member.fence("far", shape)
    for latitude, longitude in [*inside, *outside, inside[-1]]:
        await member.place(latitude=latitude, longitude=longitude)
    events = [
        (one["event"], one["latitude"], one["longitude"])
        for one in await member.pages(f"{path}/events?limit=10", "events")
    ]
    assert events == [("enter", *inside[0]), ("leave", *outside[0]), ("enter", *inside[-1])]


async def test_a_parent_sees_and_does_not_change(member: Any, platform_rows: Any) -> None:
    path = await member.fence()
    await member.place()
    parent, location = await member.parent(platform_rows), f"{member.path()}/location"
    assert await parent.call("GET", path) == await member.call("GET", path)
    assert len(await parent.pages(f"{path}/events?limit=5", "events")) == 1
    assert len(await parent.pages(f"{location}s?limit=5", "locations")) == 1
    for method, url, body in (
        ("PUT", location, BERLIN), ("PATCH", path, {"name": "mine"}), ("DELETE", path, None),
    ):  # fmt: skip
        assert await parent.refused(method, url, body) == (404, "not_found")


ROUTES = [
    ("PUT", "{device}/location", BERLIN), ("GET", "{device}/location", None),
    ("GET", "{device}/locations", None), ("GET", "{device}/geofence-events", None),
    ("GET", "{fence}", None), ("PATCH", "{fence}", {"name": "mine"}), ("DELETE", "{fence}", None),
    ("GET", "{fence}/events", None),
]  # fmt: skip


async def test_what_is_foreign_is_as_unknown_as_what_does_not_exist(member: Any) -> None:
    made, stranger = await member.fence(), await member.other()
    await member.place()
    before = await member.call("GET", made)
    for method, path, body in ROUTES:
        there = path.format(device=member.path(), fence=made)
        nowhere = path.format(
            device=f"/v1/devices/{uuid.uuid4()}", fence=f"/v1/geofences/{uuid.uuid4()}"
        )
        answers = [await stranger.ask(method, url, body) for url in (there, nowhere)]
        assert answers[0].body == answers[1].body
        assert (answers[0].status, answers[0].body["code"]) == (404, "not_found")
    assert (await stranger.call("GET", "/v1/geofences"))["geofences"] == []
    assert await member.call("GET", made) == before


async def test_a_viewer_of_some_devices_sees_their_places_and_events_only(
    member: Any, platform_rows: Any
) -> None:
    made = await member.fence()
    for serial in ("d0", "d1"):
        await member.place(serial)
    viewer = await member.viewer(platform_rows, "d1")
    near = await viewer.call("GET", "/v1/locations?near=52.52,13.405&radius=1000")
    assert [one["serial_number"] for one in near["locations"]] == ["d1"]
    events = (await viewer.call("GET", f"{made}/events"))["events"]
    assert [one["device_id"] for one in events] == [
        str(member.tenant.devices["d1"].device_id)
    ]
    assert (await viewer.call("GET", f"{member.path('d1')}/location"))["latitude"] == 52.52
    for route in ("location", "locations", "geofence-events"):
        assert await viewer.refused("GET", f"{member.path()}/{route}") == (404, "not_found")
    for method, path, body in (
        ("PUT", f"{member.path('d1')}/location", BERLIN),
        ("POST", "/v1/geofences", circle("theirs")),
        ("DELETE", made, None),
    ):
        assert await viewer.refused(method, path, body) == (403, "forbidden")
