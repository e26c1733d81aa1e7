"""gps_track: latitude or longitude of a device that drives round and round a route of its own.

Home is uniform on a disc of `spread_m` around the fleet's middle. The route is a polygon around
home with K = 8 corners, corner k at the angle 2π(k + 0.8·u)/K and at the distance
radius_m·√(1/4 + 3/4·v), u and v uniform: the legs do not cross, and no two are alike. At time t the
device has gone s = s0 + speed_m_s·(t - begin of the load) along it, s0 uniform on the whole
length L, and stands at s mod L, on a straight line between two corners. Metres become degrees on
the plane that touches the sphere at home (equirectangular projection; Snyder, Map Projections: A
Working Manual, USGS 1395, chapter 12): Δφ = y/M, Δλ = x/(M·cos φ), M = π·R/180, R = 6,371,008.8 m.
Each fix is off by a normal error of `noise_sd_m` to the north and another to the east.

All draws are the device's, and the error's also the time's in ms. So two sensors of one device,
with the axes latitude and longitude and else the same settings, tell of the same place.
"""

from typing import Annotated, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fleetsim.draws import SENSORS_PER_DEVICE_MAX, Purpose, normal, uniform
from fleetsim.settings import Settings as BaseSettings
from fleetsim.signals.kinds import Floats, Group, Ints

_CORNERS = 8
_METRES_PER_DEGREE = np.pi * 6_371_008.8 / 180
_HOME, _BEGIN, _ANGLE, _DISTANCE, _ERROR = (Purpose.TRACK * 1024 + k for k in (0, 2, 3, 4, 5))
_MS = 1_000


class Settings(BaseSettings, frozen=True, kw_only=True):
    """axis: which half of the place this sensor tells · latitude, longitude: the fleet's middle in
    degrees · spread_m: how far from it homes lie at most · radius_m: how far from home a route
    goes at most · speed_m_s: in m/s · noise_sd_m: standard deviation of a fix on each axis.
    """

    axis: Literal["latitude", "longitude"]
    latitude: Annotated[float, Meta(ge=-80, le=80)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    spread_m: Annotated[float, Meta(ge=0, le=1_000_000)]
    radius_m: Annotated[float, Meta(gt=0, le=100_000)]
    speed_m_s: Annotated[float, Meta(ge=0)]
    noise_sd_m: Annotated[float, Meta(ge=0)]

    @staticmethod
    def build(group: Group) -> "GpsTrack":
        """The sensors of devices that drive round."""
        return GpsTrack(group)


class GpsTrack:
    """Routes of m sensors: corners in degrees of the sensor's axis, lengths along the route."""

    def __init__(self, group: Group) -> None:
        self._seed, self._start_us = group.seed, group.start_us
        self._device = group.draw_id // SENSORS_PER_DEVICE_MAX
        self._is_longitude = group.column(lambda s: s.axis == "longitude") > 0
        self._speed = group.column(lambda s: s.speed_m_s)
        latitude, home = self._homes(group)
        north, east = self._corners(group.column(lambda s: s.radius_m))
        legs = np.hypot(np.diff(north), np.diff(east))
        self._passed = np.concatenate([np.zeros((len(legs), 1)), np.cumsum(legs, axis=1)], axis=1)
        begin = uniform(group.seed, _BEGIN, self._device, 0)
        self._begin_m = begin * self._passed[:, -1]
        shrink = np.where(self._is_longitude, np.cos(np.radians(latitude)), 1.0)
        self._degrees = 1 / (_METRES_PER_DEGREE * shrink)
        metres = np.where(self._is_longitude[:, None], east, north)
        self._corner = home[:, None] + metres * self._degrees[:, None]
        self._noise = group.column(lambda s: s.noise_sd_m) * self._degrees

    def _homes(self, group: Group) -> tuple[Floats, Floats]:
        """Each home's latitude, and its coordinate on the sensor's axis."""
        reach = group.column(lambda s: s.spread_m) / _METRES_PER_DEGREE
        reach *= np.sqrt(uniform(group.seed, _HOME, self._device, 0))
        angle = 2 * np.pi * uniform(group.seed, _HOME + 1, self._device, 0)
        middle = group.column(lambda s: s.latitude)
        latitude = middle + reach * np.cos(angle)
        longitude = group.column(lambda s: s.longitude)
        longitude += reach * np.sin(angle) / np.cos(np.radians(middle))
        return latitude, np.where(self._is_longitude, longitude, latitude)

    def _corners(self, radius: Floats) -> tuple[Floats, Floats]:
        """Metres north and east of home, shape (m, corners + 1); the last is the first again."""
        device = np.repeat(self._device, _CORNERS)
        corner = np.tile(np.arange(_CORNERS), len(self._device))
        turn = corner + 0.8 * uniform(self._seed, _ANGLE, device, corner)
        far = np.sqrt(0.25 + 0.75 * uniform(self._seed, _DISTANCE, device, corner))
        angle = turn.reshape(-1, _CORNERS) * (2 * np.pi / _CORNERS)
        distance = radius[:, None] * far.reshape(-1, _CORNERS)
        north, east = distance * np.cos(angle), distance * np.sin(angle)
        return np.hstack([north, north[:, :1]]), np.hstack([east, east[:, :1]])

    def values(self, at: NDArray[np.intp], tick: Ints, t_us: Ints) -> Floats:
        """Degrees of n readings."""
        passed = self._passed[at]
        gone = self._begin_m[at] + self._speed[at] * ((t_us - self._start_us) * 1e-6)
        gone %= passed[:, -1]
        leg = np.minimum((gone[:, None] >= passed[:, 1:]).sum(axis=1), _CORNERS - 1)
        row = np.arange(len(at))
        begin, end = passed[row, leg], passed[row, leg + 1]
        a, b = self._corner[at, leg], self._corner[at, leg + 1]
        value = a + (b - a) * ((gone - begin) / (end - begin))
        if self._noise.any():
            value += self._noise[at] * self._errors(at, t_us)
        wrapped = (value + 180) % 360 - 180
        degrees: Floats = np.where(self._is_longitude[at], wrapped, np.clip(value, -90, 90))
        return degrees

    def _errors(self, at: NDArray[np.intp], t_us: Ints) -> Floats:
        """A standard normal number for each of n readings, one stream an axis."""
        error = np.empty(len(at))
        for axis in (False, True):
            rows = np.flatnonzero(self._is_longitude[at] == axis)
            moment = t_us[rows] // _MS
            error[rows] = normal(self._seed, _ERROR + axis, self._device[at[rows]], moment)
        return error
