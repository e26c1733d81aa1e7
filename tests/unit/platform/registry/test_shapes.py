"""Boxes for the index hold what they must, over the antimeridian and at the poles too."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetplatform.registry.geography.shapes import (
    EARTH_RADIUS_M,
    Box,
    bounds_of,
    bounds_of_outline,
    boxes_around,
    boxes_of,
    middle_of,
    unrolled,
)

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)
HALF_WAY_M = np.pi * EARTH_RADIUS_M


def haversine_m(lat_a, lon_a, lat_b, lon_b):
    """As it is in every book, on arrays."""
    a, b, c, d = map(np.radians, (lat_a, lon_a, lat_b, lon_b))
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(h, 1)))


def places(seed: int, count: int = 2_000) -> tuple[np.ndarray, np.ndarray]:
    """Random places, many of them near the poles and on both sides of the antimeridian."""
    rng = np.random.default_rng(seed)
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    longitude = rng.uniform(-180, 180, count)
    polar, border = rng.random(count) < 0.2, rng.random(count) < 0.2
    latitude[polar] = np.sign(latitude[polar]) * (90 - rng.exponential(0.5, polar.sum()))
    longitude[border] = np.sign(longitude[border]) * (180 - rng.exponential(0.5, border.sum()))
    corners = [(0, 180), (0, -180), (90, 0), (-90, 10), (90, 180), (0, 0)]
    latitude = np.clip(np.append(latitude, [one[0] for one in corners]), -90, 90)
    longitude = np.clip(np.append(longitude, [one[1] for one in corners]), -180, 180)
    return latitude, longitude


def covered(boxes: list[Box], latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """In how many of the boxes each place lies, as the index has it."""
    longitude = np.where(longitude == 180, -180, longitude)
    return sum(
        ((b.south <= latitude) & (latitude <= b.north) & (b.west <= longitude)
         & (longitude <= b.east)).astype(int)
        for b in boxes
    )  # fmt: skip


@given(LATITUDES, LONGITUDES, st.floats(0.001, HALF_WAY_M) | st.floats(1, 1e5), st.integers(0, 9))
@example(90, 0, 1000, 1)
@example(-89.999, 179.9, 500_000, 2)
@example(0, 180, 300_000, 3)
@example(60, -179.99, 2_000_000, 4)
def test_the_boxes_around_a_circle_hold_all_of_it_once(
    latitude: float, longitude: float, radius_m: float, seed: int
) -> None:
    lat, lon = places(seed)
    rng = np.random.default_rng(seed)
    near = np.degrees(radius_m / EARTH_RADIUS_M) * rng.uniform(-1.1, 1.1, (2, 500))
    lat = np.append(lat, np.clip(latitude + near[0], -90, 90))
    shifted = longitude + near[1] / max(np.cos(np.radians(latitude)), 0.01)
    lon = np.append(lon, (shifted + 180) % 360 - 180)
    count = covered(boxes_around(latitude, longitude, radius_m), lat, lon)
    assert count.max() <= 1
    inside = haversine_m(latitude, longitude, lat, lon) <= radius_m
    assert (count[inside] == 1).all()


@pytest.mark.parametrize(
    ("latitude", "radius_m"), [(0, 1000), (52, 5_000), (-75, 20_000), (0, 2_000_000)]
)
def test_the_boxes_around_a_circle_are_not_much_larger(latitude: float, radius_m: float) -> None:
    (box,) = boxes_around(latitude, 10, radius_m)
    width = haversine_m(latitude, box.west, latitude, box.east)
    assert haversine_m(box.south, 10, box.north, 10) == pytest.approx(2 * radius_m, rel=0.01)
    assert width == pytest.approx(2 * radius_m, rel=0.02)


@given(st.tuples(LATITUDES, LATITUDES).map(sorted), LONGITUDES, LONGITUDES, st.integers(0, 9))
@example([-10, 10], 170, -170, 1)
@example([-10, 10], 180, 180, 2)
@example([-10, 10], -180, 180, 3)
@example([-10, 10], 180, -180, 4)
@example([0, 90], 90, 180, 5)
def test_the_boxes_of_an_area_hold_it_and_nothing_else_once(
    latitudes: list[float], west: float, east: float, seed: int
) -> None:
    (south, north), (lat, lon) = latitudes, places(seed)
    count = covered(boxes_of(south, west, north, east), lat, lon)
    # How far east of the western edge, with the antimeridian having one name.
    width = 360.0 if (west, east) == (-180, 180) else (east - west) % 360
    ahead = np.where(lon == 180, -180, lon) - (-180 if west == 180 else west)
    ahead = np.where(ahead < 0, ahead + 360, ahead)
    clear = (np.abs(ahead - width) > 1e-9) | (lon == east)
    inside = (south <= lat) & (lat <= north) & ((ahead <= width) | (lon == east))
    assert (count == inside)[clear].all()


def test_the_middle_of_an_area() -> None:
    assert middle_of(-10, 170, 20, -160) == (5, -175)
    assert middle_of(0, -10, 10, 30) == (5, 10)
    assert middle_of(0, -180, 0, 180) == (0, 0)


def test_a_polygon_over_the_antimeridian_goes_on_beyond_180() -> None:
    outline = unrolled([(0, 179), (0, -179), (1, -179), (1, 179)])
    assert outline == [(0, 179), (0, 181), (1, 181), (1, 179)]
    assert bounds_of_outline(outline) == Box(0, -180, 1, 180)
    west = unrolled([(0, -179), (0, 179), (1, 179)])
    assert west == [(0, -179), (0, -181), (1, -181)]


def test_a_polygon_elsewhere_stays_as_it_is() -> None:
    corners = [(52.1, 13.2), (52.3, 13.2), (52.3, 13.9)]
    assert unrolled(corners) == corners
    assert bounds_of_outline(corners) == Box(52.1, 13.2, 52.3, 13.9)


@pytest.mark.parametrize(
    "corners",
    [
        [(80, 0), (80, 90), (80, 180), (80, -90)],
        [(1, 1), (2, 2), (3, 3)],
        [(1, 1), (1, 1), (1, 1)],
        [(0, 0), (0, 1), (0, 0.5)],
    ],
)
def test_a_polygon_around_a_pole_or_without_area_is_none(
    corners: list[tuple[float, float]],
) -> None:
    assert unrolled(corners) is None


def test_bounds_of_a_circle_over_the_antimeridian_go_round() -> None:
    assert bounds_of([Box(0, 1, 2, 3)]) == Box(0, 1, 2, 3)
    assert bounds_of(boxes_around(0, 180, 1000))[1::2] == (-180, 180)
