"""A track: both sensors of a device tell of one route, at one speed, whatever is asked with it."""

from collections.abc import Callable

import numpy as np
import pytest

from fleetsim.devices.population import Population
from fleetsim.settings import FleetPlan
from fleetsim.signals import Sampler
from fleetsim.signals.kinds import Group, gps_track

START_US = 1_780_272_000_000_000
SECOND_US = 1_000_000
METRES = np.pi * 6_371_008.8 / 180
DEVICES = 50


def settings(axis: str, **changes: float) -> gps_track.Settings:
    chosen = {
        "latitude": 52.5, "longitude": 13.4, "spread_m": 10_000, "radius_m": 2_000,
        "speed_m_s": 10, "noise_sd_m": 0,
    }  # fmt: skip
    return gps_track.Settings(axis=axis, **chosen | changes)


def track(seed: int = 3, places: tuple[int, int] = (4, 5), **changes: float):
    """The signal of DEVICES devices: first all their latitudes, then all their longitudes."""
    device = np.arange(DEVICES)
    draw_id = np.concatenate([device * 1024 + places[0], device * 1024 + places[1]])
    both = [settings("latitude", **changes), settings("longitude", **changes)]
    model = np.repeat([0, 1], DEVICES).astype(np.int32)
    return both[0].build(Group(both, model, draw_id, seed, START_US))


def places(signal, t_us: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude of every device at some times, shape (times, devices)."""
    at = np.tile(np.arange(2 * DEVICES), len(t_us))
    value = signal.values(at, np.zeros(len(at), np.int64), np.repeat(t_us, 2 * DEVICES))
    value = value.reshape(len(t_us), 2, DEVICES)
    return value[:, 0], value[:, 1]


def metres(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """How far each device went from each time to the next."""
    east = np.diff(longitude, axis=0) * METRES * np.cos(np.radians(latitude[1:]))
    return np.hypot(np.diff(latitude, axis=0) * METRES, east)


def test_a_device_goes_at_its_speed_but_where_it_turns() -> None:
    times = START_US + np.arange(600) * SECOND_US
    went = metres(*places(track(), times))
    assert went.max() <= 10 * 1.001
    assert np.median(went) == pytest.approx(10, rel=1e-3)
    assert (went > 9.95).mean() > 0.9


def test_the_route_is_closed_and_stays_around_home() -> None:
    times = START_US + np.arange(0, 20_000, 5) * SECOND_US
    latitude, longitude = places(track(), times)
    height = (latitude.max(axis=0) - latitude.min(axis=0)) * METRES
    assert (height > 2_000).all()
    assert (height < 4_000).all()
    away = np.hypot(
        (latitude - 52.5) * METRES, (longitude - 13.4) * METRES * np.cos(np.radians(52.5))
    )
    assert away.max() < 12_100
    first = np.hypot(latitude - latitude[0], longitude - longitude[0]) * METRES
    assert (first[400:].min(axis=0) < 60).all()


def test_where_the_two_sensors_stand_in_the_device_does_not_matter() -> None:
    times = START_US + np.arange(0, 1_000, 100) * SECOND_US
    for one, other in zip(
        places(track(noise_sd_m=4), times),
        places(track(places=(9, 2), noise_sd_m=4), times),
        strict=True,
    ):
        assert np.array_equal(one, other)


def test_the_error_of_a_fix_is_normal_and_the_axes_are_independent() -> None:
    times = START_US + np.arange(400) * SECOND_US
    exact, noisy = places(track(), times), places(track(noise_sd_m=5), times)
    north = (noisy[0] - exact[0]) * METRES
    east = (noisy[1] - exact[1]) * METRES * np.cos(np.radians(exact[0]))
    assert north.std() == pytest.approx(5, rel=0.05)
    assert east.std() == pytest.approx(5, rel=0.05)
    assert abs(np.corrcoef(north.ravel(), east.ravel())[0, 1]) < 0.03


def test_any_order_and_company_gives_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    at = rng.integers(0, 2 * DEVICES, 500)
    t_us = START_US + rng.integers(0, 10**11, 500)
    tick = np.zeros(500, np.int64)
    whole = track(noise_sd_m=3).values(at, tick, t_us)
    for part in np.array_split(rng.permutation(500), 7):
        again = track(noise_sd_m=3).values(at[part], tick[part] + 5, t_us[part])
        assert np.array_equal(whole[part], again)


def test_a_track_over_the_antimeridian_stays_on_the_map() -> None:
    _, longitude = places(track(longitude=180.0), START_US + np.arange(300) * 20 * SECOND_US)
    assert longitude.min() >= -180
    assert longitude.max() < 180
    assert (longitude > 179).any()
    assert (longitude < -179).any()


def test_the_shipped_tracker_moves(make_plan: Callable[..., FleetPlan]) -> None:
    """Both its sensors measure at the same times, so each pair of readings is a place."""
    plan = make_plan(10, mix={"cold_chain_tracker": 1})
    population = Population.of(plan, np.arange(10))
    sampler = Sampler(plan, population)
    chosen = np.array([n in ("latitude", "longitude") for n in population.sensor_name])
    sensor = np.flatnonzero(chosen).astype(np.int32)
    assert len(sensor) == 20
    ticks = np.zeros(20, np.int64)
    now = sampler.true_values(sensor, ticks, np.full(20, plan.start_us))
    later = sampler.true_values(sensor, ticks, np.full(20, plan.start_us + 60 * SECOND_US))
    moved = np.hypot(
        (later - now)[0::2] * METRES, (later - now)[1::2] * METRES * np.cos(np.radians(52.5))
    )
    assert (moved > 100).all()
    assert (moved < 12 * 60 + 40).all()
