"""True values: the same bits for a reading in any call, and the shape that the settings say."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetconf.kinds import find
from fleetsim.devices.population import Population
from fleetsim.draws import normal
from fleetsim.errors import RecordingError
from fleetsim.load.schedule import Due, Schedule
from fleetsim.settings import DeviceTypeSettings, FleetPlan
from fleetsim.signals import Sampler, check
from fleetsim.signals.autoregression import RESTART_TICKS, Autoregression
from fleetsim.signals.kinds import constant, replay

MakePlan = Callable[..., FleetPlan]

START_US = 1_780_272_000_000_000


def _noise(sensors: int = 5, correlation: float = 0.9) -> Autoregression:
    return Autoregression(3, 3072, np.arange(sensors), np.full(sensors, correlation))


@cache
def _reference(sensors: int, ticks: int) -> np.ndarray:
    """The recursion as it is written down, one tick after the other; shape (ticks, sensors)."""
    at = np.arange(sensors)
    drawn = [normal(3, 3072, at, tick) for tick in range(ticks)]
    rows = drawn[:1]
    for tick in range(1, ticks):
        row = 0.9 * rows[-1] + np.sqrt(1 - 0.9 * 0.9) * drawn[tick]
        rows.append(drawn[tick] if tick % RESTART_TICKS == 0 else row)
    return np.array(rows)


def test_noise_one_tick_after_the_other_is_the_recursion() -> None:
    noise, at = _noise(), np.arange(5)
    values = [noise.values(at, np.full(5, tick)) for tick in range(RESTART_TICKS + 20)]
    assert np.array_equal(values, _reference(5, RESTART_TICKS + 20))


@settings(max_examples=60)
@given(data=st.data())
def test_noise_has_the_same_bits_in_any_order_and_grouping(data: st.DataObject) -> None:
    ticks = 2 * RESTART_TICKS + 50
    known = _reference(5, ticks)
    noise = _noise()
    tick = st.one_of(
        st.integers(0, ticks - 1), st.integers(RESTART_TICKS - 3, RESTART_TICKS + 3)
    )
    calls = data.draw(
        st.lists(
            st.lists(st.tuples(st.integers(0, 4), tick), max_size=12), min_size=1, max_size=8
        )
    )
    for call in calls:
        at = np.array([sensor for sensor, _ in call], dtype=np.intp)
        when = np.array([k for _, k in call], dtype=np.int64)
        assert np.array_equal(noise.values(at, when), known[when, at])


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 2098), max_size=8), sensors=st.integers(1, 5))
def test_noise_of_long_runs_is_the_recursion(cuts: list[int], sensors: int) -> None:
    ticks = 2 * RESTART_TICKS + 50
    noise = _noise(sensors)
    for a, b in pairwise([0, *sorted(cuts), ticks]):
        at, when = np.repeat(np.arange(sensors), b - a), np.tile(np.arange(a, b), sensors)
        expected = _reference(5, ticks)[a:b, :sensors].T.ravel()
        assert np.array_equal(noise.values(at, when), expected)


def test_many_long_runs_are_walked_in_parts() -> None:
    sensors, ticks = 600, RESTART_TICKS + 100
    at, when = np.repeat(np.arange(sensors), ticks), np.tile(np.arange(ticks), sensors)
    whole = _noise(sensors).values(at, when).reshape(sensors, ticks)
    few = _noise(5).values(at[: 5 * ticks], when[: 5 * ticks]).reshape(5, ticks)
    assert np.array_equal(whole[:5], few)
    assert np.array_equal(whole[595], _noise(600).values(np.full(ticks, 595), np.arange(ticks)))


def test_noise_is_stationary_and_correlated() -> None:
    values = _noise(4000).values(np.repeat(np.arange(4000), 50), np.tile(np.arange(50), 4000))
    table = values.reshape(4000, 50)
    assert np.allclose(table.std(axis=0), 1, atol=0.05)
    assert abs(np.corrcoef(table[:, 10], table[:, 11])[0, 1] - 0.9) < 0.02
    assert abs(np.corrcoef(table[:, 10], table[:, 12])[0, 1] - 0.81) < 0.03


def _values(
    plan: FleetPlan, ordinals: np.ndarray, edges_s: list[float]
) -> dict[tuple[int, int], float]:
    """(draw id, tick) → value, of the readings of some devices made slice by slice."""
    population = Population.of(plan, ordinals)
    schedule, sampler = Schedule(plan, population), Sampler(plan, population)
    found: dict[tuple[int, int], float] = {}
    for a, b in pairwise(edges_s):
        due = schedule.due(START_US + round(a * 1e6), START_US + round(b * 1e6))
        value = sampler.true_values(*due)
        ids = population.draw_id[due.sensor].tolist()
        found |= dict(zip(zip(ids, due.tick.tolist(), strict=True), value.tolist(), strict=True))
    return found


@pytest.mark.parametrize("shards", [2, 4, 20])
def test_any_shard_and_slicing_makes_the_same_values(make_plan: MakePlan, shards: int) -> None:
    plan = make_plan(20, interval=1.0)
    whole = _values(plan, np.arange(20), [0, 30, 60])
    parts: dict[tuple[int, int], float] = {}
    for shard, ordinals in enumerate(np.array_split(np.arange(20), shards)):
        edges = np.linspace(0, 60, 3 + 40 * (shard % 2)).tolist()
        parts |= _values(plan, ordinals, edges)
    assert parts == whole


@settings(max_examples=30)
@given(order=st.permutations(range(40)), cut=st.integers(0, 40))
def test_rows_in_any_order_have_the_same_values(
    make_plan: MakePlan, order: list[int], cut: int
) -> None:
    plan = make_plan(6, interval=4.0)
    population = Population.of(plan, np.arange(6))
    due = Schedule(plan, population).due(START_US, START_US + 60_000_000)
    expected = Sampler(plan, population).true_values(*due)
    sampler, chosen = Sampler(plan, population), np.array(order)
    for rows in (chosen[:cut], chosen[cut:]):
        part = Due(*(column[rows] for column in due))
        assert np.array_equal(sampler.true_values(*part), expected[rows])


def test_another_seed_makes_other_values(make_plan: MakePlan) -> None:
    first = _values(make_plan(seed=1), np.arange(20), [0, 20])
    second = _values(make_plan(seed=2), np.arange(20), [0, 20])
    assert set(first.values()).isdisjoint(second.values())


def test_a_day_peaks_at_its_hour_and_a_year_on_its_day(make_plan: MakePlan) -> None:
    day_us = 86_400_000_000
    midnight_us = 1_767_225_600_000_000  # 2026-01-01
    plan = make_plan(400, mix={"thermometer": 1.0}, start_us=midnight_us)
    population = Population.of(plan, np.arange(400))
    sampler = Sampler(plan, population)
    sensor = np.arange(400, dtype=np.int32)

    def mean_at(t_us: int) -> float:
        tick, t = np.full(400, t_us // 10_000_000), np.full(400, t_us)
        return float(sampler.true_values(sensor, tick, t).mean())

    hours = [mean_at(midnight_us + hour * 3_600_000_000) for hour in range(24)]
    assert np.argmax(hours) == 15
    assert abs(max(hours) - min(hours) - 12) < 0.5
    days = [mean_at(midnight_us + day * day_us) for day in range(0, 365, 5)]
    assert abs(np.argmax(days) * 5 - 200) <= 10
    assert abs(max(days) - min(days) - 16) < 0.5


def test_a_constant_stays(make_plan: MakePlan, device_types: dict[str, DeviceTypeSettings]) -> None:
    plan = make_plan(4, device_types=_with_signal(device_types, constant.Settings(value=21.5)))
    population = Population.of(plan, np.arange(4))
    due = Schedule(plan, population).due(START_US, START_US + 20_000_000)
    value = Sampler(plan, population).true_values(*due)
    names = np.array(population.sensor_name)[due.sensor]
    assert set(value[names == "temperature"].tolist()) == {21.5}
    others = names != "temperature"
    plain = Sampler(make_plan(4), population).true_values(*due)
    assert np.array_equal(value[others], plain[others])


def test_a_replay_begins_at_each_sensors_own_place(
    make_plan: MakePlan, device_types: dict[str, DeviceTypeSettings], tmp_path: Path
) -> None:
    path = tmp_path / "saw.csv"
    path.write_text("time,value\n0,0\n100,100\n")
    mix = {"thermometer": 1.0}

    def sampled(repeat: bool, spread: float, after_s: int) -> list[float]:
        signal = replay.Settings(path=str(path), repeat=repeat, spread=spread)
        plan = make_plan(50, mix=mix, device_types=_with_signal(device_types, signal))
        sampler = Sampler(plan, Population.of(plan, np.arange(50)))
        t_us = np.full(50, START_US + after_s * 1_000_000)
        return sampler.true_values(np.arange(50, dtype=np.int32), t_us * 0, t_us).tolist()

    assert sampled(True, 0.0, 30) == [30.0] * 50
    assert sampled(True, 0.0, 130) == [30.0] * 50
    assert sampled(False, 0.0, 130) == [100.0] * 50
    begins = sampled(False, 40.0, 0)
    assert len(set(begins)) == 50
    assert 0 <= min(begins) < 5
    assert 35 < max(begins) <= 40


def test_a_missing_recording_is_named_with_its_sensor(
    device_types: dict[str, DeviceTypeSettings], tmp_path: Path
) -> None:
    signal = replay.Settings(path=str(tmp_path / "none.csv"), repeat=True, spread=0.0)
    with pytest.raises(RecordingError) as caught:
        check(_with_signal(device_types, signal))
    message = str(caught.value)
    assert "device_type.climate_v2.simulation.sensors.temperature.signal" in message
    assert f"{tmp_path}/none.csv cannot be read: No such file or directory" in message


def _with_signal(
    device_types: dict[str, DeviceTypeSettings], signal: object
) -> dict[str, DeviceTypeSettings]:
    """The device types with another signal at all sensors named temperature."""
    changed = {}
    for name, entry in device_types.items():
        sensors = {
            sensor: replace(simulation, signal=signal) if sensor == "temperature" else simulation
            for sensor, simulation in entry.simulation.sensors.items()
        }
        changed[name] = replace(entry, simulation=replace(entry.simulation, sensors=sensors))
    return changed


def test_the_shipped_device_types_can_be_sampled(
    device_types: dict[str, DeviceTypeSettings],
) -> None:
    check(device_types)


def test_the_kinds_of_signals() -> None:
    assert list(find("fleetsim.signals.kinds")) == ["constant", "diurnal", "gps_track", "replay"]
