"""Distances and areas in the database are those of a plain haversine, and the index is used."""

import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np
import pytest

from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import Pool, open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry.places import whereabouts
from fleetplatform.settings import PlatformSettings
from fleetplatform.wire.paging import LIMIT_MAX, Page
from fleetstorm.stack.postgres import PostgresServer

PLACES = 20_000
RADIUS_M = 6_371_008.8
OURS, OTHERS = UUID(int=1), UUID(int=2)


def haversine_m(lat_a: Any, lon_a: Any, lat_b: Any, lon_b: Any) -> Any:
    a, b, c, d = map(np.radians, (lat_a, lon_a, lat_b, lon_b))
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return 2 * RADIUS_M * np.arcsin(np.sqrt(np.minimum(h, 1)))


@pytest.fixture(scope="module")
def places() -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of PLACES devices: everywhere, with crowds where it is difficult."""
    rng = np.random.default_rng(11)
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, PLACES)))
    longitude = rng.uniform(-180, 180, PLACES)
    latitude[:1000] = 90 - rng.exponential(0.3, 1000)
    latitude[1000:2000] = -90 + rng.exponential(0.3, 1000)
    longitude[2000:4000] = 180 - rng.exponential(0.3, 2000)
    longitude[4000:6000] = -180 + rng.exponential(0.3, 2000)
    latitude[6000:6004], longitude[6000:6004] = [0, 0, 90, -90], [180, -180, 17, 180]
    return np.clip(latitude.round(6), -90, 90), longitude.round(6)


@pytest.fixture(scope="module")
async def globe(
    postgres: PostgresServer, make_settings: Callable[..., PlatformSettings], places: Any
) -> AsyncIterator[tuple[asyncpg.Connection, Pool]]:
    """A database with the places, as its owner and as the API sees it."""
    name = f"globe_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres.url())
    await server.execute(f'create database "{name}" template template0')
    settings = make_settings()
    prepared = await prepare_database(postgres.url(name), settings)
    owner = await asyncpg.connect(prepared.owner_url)
    await _fill(owner, places)
    pool = await open_pool(prepared.urls["iot_api"], settings.database, "iot_api")
    yield owner, pool
    await pool.close()
    await owner.close()
    await server.execute(f'drop database "{name}" with (force)')
    await server.close()


async def _fill(owner: asyncpg.Connection, places: Any) -> None:
    """Every tenth place is another organization's; device n has the id n + 1."""
    await owner.execute(
        "insert into iot.organizations (organization_id, name) values ($1, 'a'), ($2, 'b')",
        OURS,
        OTHERS,
    )
    await owner.execute(
        "insert into iot.device_types (name, version) values ('t', '1');"
        " insert into iot.device_type_versions (device_type_id, version, specification)"
        " select device_type_id, '1', '{}' from iot.device_types"
    )
    given = [
        (OTHERS if n % 10 == 9 else OURS, UUID(int=n + 1), float(a), float(b))
        for n, (a, b) in enumerate(zip(*places, strict=True))
    ]
    columns = [list(column) for column in zip(*given, strict=True)]
    await owner.execute(
        "insert into iot.devices (organization_id, device_id, device_type_id,"
        " device_type_version, hardware_revision, serial_number)"
        " select o, d, device_type_id, '1', '1', d from iot.device_types,"
        " unnest($1::uuid[], $2::uuid[]) as g (o, d)",
        *columns[:2],
    )
    await owner.execute(
        "insert into iot.device_places"
        " (organization_id, device_id, valid_from, latitude, longitude, source)"
        " select o, d, '2026-01-01', a, b, 'api'"
        " from unnest($1::uuid[], $2::uuid[], $3::float8[], $4::float8[]) as g (o, d, a, b)",
        *columns,
    )
    await owner.execute("analyze iot.device_places, iot.devices")


async def _all_within(pool: Any, area: whereabouts.Area, sort: str = "") -> list[Any]:
    """Every page of what a member of our organization finds."""
    found: list[Any] = []
    page = Page(LIMIT_MAX, "distance", bool(sort))
    while True:
        answer = await whereabouts.within(pool, Tenant(OURS), area, page)
        found += answer.locations
        if answer.next_cursor is None:
            return found
        last = answer.locations[-1]
        page = Page(LIMIT_MAX, "distance", bool(sort), repr(last.distance_m), last.device_id)


CIRCLES = [
    (90, 0, 50_000), (89.9, 120, 40_000), (-89.99, -20, 100_000), (-70, 180, 300_000),
    (0, 179.95, 30_000), (10, -180, 2_000_000), (45, 10, 800_000), (0, 0, 5_000_000),
    (30, 60, 20_020_000),
]  # fmt: skip
BOXES = [
    (-10, 170, 10, -170), (80, -180, 90, 180), (-90, 10, -89, -160), (0, 180, 0, 180),
    (-5, 179.9, 5, 180), (-5, -180, 5, -179.9), (20, -30, 60, 40), (-90, 0, 90, -1),
]  # fmt: skip


async def _ruled_inside(owner: asyncpg.Connection, rule: dict[str, Any]) -> list[int]:
    """Our devices for which the rule of a dynamic group holds, which uses no index."""
    rows = await owner.fetch(
        "select device_id from iot.device_places where organization_id = $1"
        " and iot.is_inside(latitude, longitude, $2::jsonb)",
        OURS,
        json.dumps(rule),
    )
    return sorted(row["device_id"].int - 1 for row in rows)


@pytest.mark.parametrize(("latitude", "longitude", "radius_m"), CIRCLES)
async def test_a_circle_is_that_of_a_plain_haversine(
    globe: Any, places: Any, latitude: float, longitude: float, radius_m: float
) -> None:
    owner, pool = globe
    distance = haversine_m(latitude, longitude, *places)
    clear = np.abs(distance - radius_m) > 1e-3
    expected = (distance <= radius_m) & (np.arange(PLACES) % 10 != 9)
    found = await _all_within(pool, whereabouts.circle(latitude, longitude, radius_m))
    index = np.array([one.device_id.int - 1 for one in found])
    counted = np.bincount(index, minlength=PLACES)
    assert np.array_equal(counted[clear], expected[clear])
    measured = np.array([one.distance_m for one in found])
    assert (np.diff(measured) >= 0).all()
    # Where two places are almost opposite, haversine itself is good to some 0.1 m only.
    np.testing.assert_allclose(measured, distance[index], rtol=1e-9, atol=0.5)
    rule = {"circle": {"latitude": latitude, "longitude": longitude, "radius_m": radius_m}}
    assert await _ruled_inside(owner, rule) == sorted(index.tolist())


@pytest.mark.parametrize(("south", "west", "north", "east"), BOXES)
async def test_a_box_is_what_lies_between_its_edges(
    globe: Any, places: Any, south: float, west: float, north: float, east: float
) -> None:
    owner, pool = globe
    latitude, longitude = places
    # How far east of the western edge; the antimeridian is one, whatever it is called.
    width = 360.0 if (west, east) == (-180, 180) else (east - west) % 360
    inside = ((longitude - west) % 360 <= width + 1e-9) & (south <= latitude)
    inside &= latitude <= north
    expected = np.flatnonzero(inside & (np.arange(PLACES) % 10 != 9)).tolist()
    found = await _all_within(pool, whereabouts.box(south, west, north, east), "-")
    assert sorted(one.device_id.int - 1 for one in found) == expected
    assert expected
    assert (np.diff([one.distance_m for one in found]) <= 0).all()
    rule = {"box": {"south": south, "west": west, "north": north, "east": east}}
    assert await _ruled_inside(owner, rule) == expected


async def test_a_rule_of_another_kind_says_nothing(globe: Any) -> None:
    assert await globe[0].fetchval("select iot.is_inside(1, 1, '{\"other\": 1}')") is None


@pytest.mark.parametrize("middle", [0.0, 179.5, 180.3])
async def test_a_polygon_is_that_of_a_ray_cast(globe: Any, places: Any, middle: float) -> None:
    latitude, longitude = places
    star = [(0.0, 1.0), (0.3, 0.3), (1.0, 0.0), (0.3, -0.3), (0.0, -1.0), (-1.0, 0.0)]
    outline = [(40 * a, middle + 3 * b) for a, b in star]
    rows = await globe[0].fetch(
        "select device_id from iot.device_places"
        " where iot_private.is_in_outline($1::polygon, latitude, longitude)",
        asyncpg.Polygon(*((x, y) for y, x in outline)),
    )
    turned = (longitude - middle + 180) % 360 - 180 + middle
    inside = _ray_cast(outline, latitude, turned)
    assert {row["device_id"].int - 1 for row in rows} == set(np.flatnonzero(inside).tolist())
    assert inside.any()


def _ray_cast(outline: list[tuple[float, float]], y: Any, x: Any) -> Any:
    inside = np.zeros(len(y), dtype=bool)
    for (a, b), (c, d) in zip(outline, [*outline[1:], outline[0]], strict=True):
        crosses = (a > y) != (c > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (x < (d - b) * (y - a) / (c - a) + b)
    return inside


async def test_20000_places_are_searched_by_the_index(globe: Any) -> None:
    """The plan of the very query that runs, as auto_explain logs it."""
    owner: asyncpg.Connection = globe[0]
    plans: list[str] = []
    owner.add_log_listener(lambda _, message: plans.append(message.message))
    await owner.execute(
        "load 'auto_explain'; set auto_explain.log_min_duration = 0;"
        " set auto_explain.log_nested_statements = on; set auto_explain.log_format = json;"
        " set auto_explain.log_analyze = on; set client_min_messages = log"
    )
    await owner.execute(f"set app.organization_ids = '{OURS}'")
    area = whereabouts.circle(45, 10, 200_000)
    edges = [list(part) for part in zip(*area.boxes, strict=True)]
    for _ in range(8):  # so often that a plan for any parameters would be taken
        await owner.fetch(
            "select * from iot.places_within($1, $2, $3, $4, 45, 10, 200000, 1, null, null, 100)",
            *edges,
        )
    texts = [text for text in plans if "idx_device_places_place" in text]
    assert len(texts) == 8
    for text in texts:
        (scan,) = _scans(json.loads(re.sub(r"^[^{]*", "", text, count=1))["Plan"])
        assert scan["Index Name"] == "idx_device_places_place"
        assert scan["Actual Rows"] < PLACES / 100
    assert not any('"Seq Scan"' in text for text in texts)


def _scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    below = [scan for child in plan.get("Plans", []) for scan in _scans(child)]
    return [*below, plan] if "Index Name" in plan else below
