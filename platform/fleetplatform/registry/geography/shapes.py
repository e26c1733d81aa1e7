"""Boxes on the globe for an index of a flat map: what circles, boxes and polygons lie in.

Places are degrees, and the earth is a sphere, as in the SQL function iot.distance_m. A box of the
index never crosses the antimeridian, whose only longitude there is -180.
"""

from collections.abc import Sequence
from math import asin, cos, degrees, pi, radians, sin
from typing import NamedTuple

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of WGS 84 (IUGG)."""
DECIMALS = 9
"""Of a degree, as places are kept: a tenth of a millimetre."""
_MARGIN = 1e-7
"""Degrees by which the box around a circle is too large, for what rounding takes away."""


class Box(NamedTuple):
    """Edges in degrees; west is not greater than east."""

    south: float
    west: float
    north: float
    east: float


def boxes_of(south: float, west: float, north: float, east: float) -> list[Box]:
    """The boxes of the index for an area; over the antimeridian west is greater than east."""
    if west == 180:
        west = -180.0
        east = -180.0 if east == 180 else east
    if west > east:
        return [Box(south, west, north, 180.0), Box(south, -180.0, north, east)]
    if east == 180 and west > -180:
        return [Box(south, west, north, 180.0), Box(south, -180.0, north, -180.0)]
    return [Box(south, west, north, east)]


def boxes_around(latitude: float, longitude: float, radius_m: float) -> list[Box]:
    """Boxes that hold a circle, and little more.

    The circle touches the meridians at sin(Δλ) = sin(r) / cos(φ), unless a pole lies in it: then
    it meets all of them. (Bronstein et al., Handbook of Mathematics, spherical trigonometry.)
    """
    angle = min(radius_m / EARTH_RADIUS_M, pi)
    reach = degrees(angle) + _MARGIN
    south, north = latitude - reach, latitude + reach
    if south <= -90 or north >= 90:
        return [Box(max(south, -90.0), -180.0, min(north, 90.0), 180.0)]
    sine = sin(radians(reach)) / cos(radians(latitude))
    half = degrees(asin(min(sine, 1.0))) + _MARGIN
    if half >= 180:
        return [Box(south, -180.0, north, 180.0)]
    return boxes_of(south, _wrapped(longitude - half), north, _wrapped(longitude + half))


def bounds_of(boxes: Sequence[Box]) -> Box:
    """One box around several, the whole way round where they are more than one."""
    if len(boxes) == 1:
        return boxes[0]
    south, north = min(b.south for b in boxes), max(b.north for b in boxes)
    return Box(south, -180.0, north, 180.0)


def middle_of(south: float, west: float, north: float, east: float) -> tuple[float, float]:
    """Latitude and longitude of the middle of an area."""
    width = east - west if west <= east else east - west + 360
    return (south + north) / 2, _wrapped(west + width / 2)


def unrolled(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]] | None:
    """A polygon of (latitude, longitude) with longitudes that go on where an edge crosses the
    antimeridian: each edge goes the short way. None: it goes around a pole, or has no area.
    """
    found = [points[0]]
    for latitude, longitude in points[1:]:
        step = (longitude - found[-1][1] + 180) % 360 - 180
        found.append((latitude, round(found[-1][1] + step, DECIMALS)))
    closing = (points[0][1] - found[-1][1] + 180) % 360 - 180
    longitudes = [longitude for _, longitude in found]
    if abs(found[-1][1] + closing - points[0][1]) > 1 or max(longitudes) - min(longitudes) >= 360:
        return None
    return found if _area(found) > 10.0 ** -(2 * DECIMALS - 4) else None


def bounds_of_outline(outline: Sequence[tuple[float, float]]) -> Box:
    """A box around an unrolled polygon, the whole way round where it touches the antimeridian."""
    latitudes, longitudes = zip(*outline, strict=True)
    south, north, west, east = min(latitudes), max(latitudes), min(longitudes), max(longitudes)
    if west <= -180 or east >= 180:
        west, east = -180.0, 180.0
    return Box(south, west, north, east)


def _area(outline: Sequence[tuple[float, float]]) -> float:
    """In square degrees of the flat map (the shoelace formula, from the first corner)."""
    pairs = zip(outline, [*outline[1:], outline[0]], strict=True)
    y, x = outline[0]
    twice = sum((b - x) * (c - y) - (d - x) * (a - y) for (a, b), (c, d) in pairs)
    return abs(twice) / 2


def _wrapped(longitude: float) -> float:
    """A longitude between -180 and 180, which stays as it is if it lies there."""
    if -180 <= longitude <= 180:
        return longitude
    return (longitude + 180) % 360 - 180
