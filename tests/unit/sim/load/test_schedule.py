"""The schedule: every reading once, whatever the slices, and as many as the load says."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.devices.population import Population
from fleetsim.errors import PlanError
from fleetsim.load.change import LoadChange
from fleetsim.load.profiles import ramp, steady
from fleetsim.load.schedule import Due, Schedule
from fleetsim.settings import FleetOrganization, FleetPlan
from fleetsim.signals import Sampler

MakePlan = Callable[..., FleetPlan]

START_US = 1_780_272_000_000_000
MINUTE_US = 60_000_000

ramps = st.builds(
    ramp.Settings,
    from_=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    over=st.sampled_from([0.5, 10.0, 45.0]),
    hold=st.sampled_from([0.0, 7.25, 30.0]),
)
changes = st.lists(
    st.builds(
        LoadChange,
        at_us=st.integers(0, MINUTE_US).map(lambda us: START_US + us),
        rate=st.sampled_from([None, 0.0, 3.0, 40.0]),
        profile=st.one_of(st.none(), st.just(steady.Settings()), ramps),
    ),
    max_size=3,
)


def _schedule(plan: FleetPlan, first: int = 0, stop: int | None = None) -> Schedule:
    ordinals = np.arange(first, plan.fleet.devices if stop is None else stop)
    return Schedule(plan, Population.of(plan, ordinals))


def _rows(*parts: Due, first_sensor: int = 0) -> list[tuple[int, int, int]]:
    columns = [np.concatenate([part[i] for part in parts]).tolist() for i in range(3)]
    rows = zip(*columns, strict=True)
    return sorted((sensor + first_sensor, tick, t_us) for sensor, tick, t_us in rows)


@given(
    profile=st.one_of(st.just(steady.Settings()), ramps),
    orders=changes,
    cuts=st.lists(st.integers(-MINUTE_US, 2 * MINUTE_US), max_size=12),
    interval=st.sampled_from([0.3, 7.0, 10.0]),
)
def test_any_slicing_yields_every_reading_once(
    make_plan: MakePlan, profile: Any, orders: list[LoadChange], cuts: list[int], interval: float
) -> None:
    plan = make_plan(12, profile=profile, interval=interval)
    whole, sliced = _schedule(plan), _schedule(plan)
    for order in orders:
        whole.change(order)
        sliced.change(order)
    end_us = START_US + 2 * MINUTE_US
    everything = whole.due(START_US, end_us)
    edges = [START_US, *sorted(START_US + max(cut, 0) for cut in cuts), end_us]
    parts = [sliced.due(a, b) for a, b in pairwise(edges)]
    for part, a, b in zip(parts, edges[:-1], edges[1:], strict=True):
        assert ((part.t_us >= a) & (part.t_us < b)).all()
        order = np.lexsort((part.tick, part.sensor))
        assert np.array_equal(order, np.arange(len(order)))
    rows = _rows(*parts)
    assert rows == _rows(everything)
    assert len({(sensor, t_us) for sensor, _, t_us in rows}) == len(rows)
    for sensor in {sensor for sensor, _, _ in rows}:
        ticks = [tick for s, tick, _ in rows if s == sensor]
        assert ticks == list(range(len(ticks)))


@given(
    windows=st.lists(
        st.tuples(st.integers(0, MINUTE_US), st.integers(0, 20_000_000)), min_size=1, max_size=6
    )
)
def test_windows_in_any_order_give_the_same_readings(
    make_plan: MakePlan, windows: list[tuple[int, int]]
) -> None:
    plan = make_plan(8, interval=3.0)
    everything = _rows(_schedule(plan).due(START_US, START_US + 2 * MINUTE_US))
    schedule = _schedule(plan)
    for begin, length in windows:
        a, b = START_US + begin, START_US + begin + length
        assert _rows(schedule.due(a, b)) == [row for row in everything if a <= row[2] < b]


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_shards_make_the_fleets_readings(make_plan: MakePlan, shards: int) -> None:
    plan = make_plan(20, rate=15.0)
    change = LoadChange(START_US + 20_000_000, rate=30.0)
    everything = _schedule(plan)
    everything.change(change)
    rows, first_sensor = [], 0
    for shard in range(shards):
        ordinals = np.arange(20 * shard // shards, 20 * (shard + 1) // shards)
        population = Population.of(plan, ordinals)
        schedule = Schedule(plan, population)
        schedule.change(change)
        rows += _rows(schedule.due(START_US, START_US + MINUTE_US), first_sensor=first_sensor)
        first_sensor += population.sensors
    assert rows == _rows(everything.due(START_US, START_US + MINUTE_US))


def test_groups_of_devices_may_go_at_their_own_pace(make_plan: MakePlan) -> None:
    plan = make_plan(9, interval=2.0)
    schedule = _schedule(plan)
    parts = []
    for group, step_us in ((slice(0, 4), 700_000), (slice(4, 9), 2_500_000)):
        begins = range(START_US, START_US + 35_000_000, step_us)
        parts += [schedule.due(at_us, at_us + step_us, group) for at_us in begins]
    assert _rows(*parts) == _rows(_schedule(plan).due(START_US, START_US + 35_000_000))


def test_all_sensors_of_a_device_are_read_at_once(make_plan: MakePlan) -> None:
    plan = make_plan(3, mix={"climate_v2": 1.0}, interval=1.0)
    due = _schedule(plan).due(START_US, START_US + 5_000_000)
    for device in range(3):
        times = [due.t_us[due.sensor == 3 * device + place].tolist() for place in range(3)]
        assert times[0] == times[1] == times[2]
        assert len(times[0]) == 5


def test_a_rate_counts_readings_of_the_whole_fleet(make_plan: MakePlan) -> None:
    plan = make_plan(200, rate=500.0)
    due = _schedule(plan).due(START_US, START_US + MINUTE_US)
    sensors_max = 3
    assert abs(len(due.t_us) - 500 * 60) <= 200 * sensors_max


@pytest.mark.parametrize(
    ("profile", "seconds_at_full_load"),
    [
        (ramp.Settings(from_=0.0, over=20.0, hold=10.0), 10 + 10 + 10),
        (ramp.Settings(from_=0.5, over=20.0, hold=10.0), 15 + 10 + 15 + 5),
        (ramp.Settings(from_=0.2, over=60.0, hold=0.0), 36),
        (steady.Settings(), 60),
    ],
)
def test_a_profile_integrates_to_its_area(
    make_plan: MakePlan, profile: Any, seconds_at_full_load: float
) -> None:
    plan = make_plan(50, mix={"thermometer": 1.0}, interval=0.1, profile=profile)
    due = _schedule(plan).due(START_US, START_US + MINUTE_US)
    assert abs(len(due.t_us) - 50 * 10 * seconds_at_full_load) <= 50


def test_a_ramp_climbs_in_a_straight_line(make_plan: MakePlan) -> None:
    profile = ramp.Settings(from_=0.0, over=40.0, hold=20.0)
    plan = make_plan(100, mix={"thermometer": 1.0}, rate=1000.0, profile=profile)
    schedule = _schedule(plan)
    counts = [
        len(schedule.due(START_US + s * 10_000_000, START_US + (s + 1) * 10_000_000).t_us)
        for s in range(6)
    ]
    assert np.allclose(counts, [1250, 3750, 6250, 8750, 10_000, 10_000], atol=100)


def test_a_change_of_rate_keeps_the_profile_on_its_way(make_plan: MakePlan) -> None:
    """Half way up a ramp the rate is doubled: the other half is climbed at twice the height."""
    profile = ramp.Settings(from_=0.0, over=40.0, hold=100.0)
    plan = make_plan(100, mix={"thermometer": 1.0}, rate=1000.0, profile=profile)
    schedule = _schedule(plan)
    schedule.change(LoadChange(START_US + 20_000_000, rate=2000.0))
    first = len(schedule.due(START_US, START_US + 20_000_000).t_us)
    second = len(schedule.due(START_US + 20_000_000, START_US + 40_000_000).t_us)
    assert abs(first - 5_000) <= 100
    assert abs(second - 30_000) <= 100


def test_a_change_leaves_what_was_before_it(make_plan: MakePlan) -> None:
    plan = make_plan(10, interval=1.0)
    changed, plain = _schedule(plan), _schedule(plan)
    changed.due(START_US, START_US + 5_000_000)
    changed.change(LoadChange(START_US + 30_000_000, rate=0.0))
    until_us = START_US + 30_000_000
    rest = changed.due(START_US + 5_000_000, until_us)
    assert _rows(rest) == _rows(plain.due(START_US + 5_000_000, until_us))
    assert len(changed.due(until_us, until_us + 3_600_000_000).t_us) == 0


def _of_two(plan: FleetPlan) -> FleetPlan:
    organizations = tuple(
        FleetOrganization(name=name, share=share, token="") for name, share in (("a", 1), ("b", 3))
    )
    return msgspec.structs.replace(plan, organizations=organizations)


def test_an_organizations_load_is_its_own(make_plan: MakePlan) -> None:
    """A rate of one organization is of its own readings, and changes nothing for the others."""
    plan = _of_two(make_plan(40))
    before, changed = _schedule(plan), _schedule(plan)
    changed.change(LoadChange(START_US + 20_000_000, rate=300.0, organization="b"))
    changed.change(LoadChange(START_US + 40_000_000, interval=10.0, organization="b"))
    population = Population.of(plan, np.arange(40))
    organization = population.organization[population.sensor_device]
    as_before = before.due(START_US, START_US + MINUTE_US)
    pieces = [
        changed.due(START_US + s * 1_000_000, START_US + (s + 1) * 1_000_000) for s in range(60)
    ]
    found = _rows(*pieces)
    assert [row for row in found if organization[row[0]] == 0] == [
        row for row in _rows(as_before) if organization[row[0]] == 0
    ]
    own = [t_us for sensor, _, t_us in found if organization[sensor] == 1]
    inside = [t for t in own if START_US + 20_000_000 <= t < START_US + 40_000_000]
    assert abs(len(inside) - 20 * 300) <= population.organization_sensors[1]
    quiet = sum(organization[row[0]] == 1 for row in _rows(as_before)) * 2 / 3
    assert abs(len(own) - len(inside) - quiet) <= 2 * population.organization_sensors[1]


@given(cuts=st.lists(st.integers(0, MINUTE_US), max_size=8))
def test_slices_of_several_loads_yield_every_reading_once(
    make_plan: MakePlan, cuts: list[int]
) -> None:
    plan = _of_two(make_plan(12))
    orders = [
        LoadChange(START_US + 10_000_000, rate=40.0, organization="a"),
        LoadChange(START_US + 30_000_000, rate=20.0),
        LoadChange(START_US + 35_000_000, profile=steady.Settings(), organization="b"),
    ]
    whole, sliced = _schedule(plan), _schedule(plan)
    for order in orders:
        whole.change(order)
        sliced.change(order)
    edges = sorted({0, MINUTE_US, *cuts})
    parts = [sliced.due(START_US + a, START_US + b) for a, b in pairwise(edges)]
    assert _rows(*parts) == _rows(whole.due(START_US, START_US + MINUTE_US))


def test_an_organization_that_is_not_there_is_refused(make_plan: MakePlan) -> None:
    with pytest.raises(PlanError, match='no organization "x" in the fleet; there are a, b'):
        _schedule(_of_two(make_plan(4))).change(LoadChange(START_US, rate=1.0, organization="x"))


def test_a_change_for_a_time_gone_by_is_refused(make_plan: MakePlan) -> None:
    schedule = _schedule(make_plan())
    schedule.due(START_US, START_US + 10_000_000)
    with pytest.raises(PlanError, match="gone by"):
        schedule.change(LoadChange(START_US + 9_999_999, rate=1.0))


def test_an_impossible_load_is_refused(make_plan: MakePlan) -> None:
    with pytest.raises(PlanError, match="reports a second of each device"):
        _schedule(make_plan(1, rate=1e9))
    with pytest.raises(PlanError, match="no device of the mix has a sensor"):
        _schedule(make_plan(1, mix={"gateway": 1.0}, rate=10.0))


def test_devices_without_sensors_have_nothing_due(make_plan: MakePlan) -> None:
    plan = make_plan(6, mix={"gateway": 0.5, "thermometer": 0.5}, interval=1.0)
    population = Population.of(plan, np.arange(6))
    due = Schedule(plan, population).due(START_US, START_US + 10_000_000)
    assert len(due.t_us) == 3 * 10
    assert set(due.sensor.tolist()) == {0, 1, 2}


def test_a_fleet_without_sensors_is_silent(make_plan: MakePlan) -> None:
    plan = make_plan(4, mix={"gateway": 1.0})
    due = _schedule(plan).due(START_US, START_US + MINUTE_US)
    assert [len(column) for column in due] == [0, 0, 0]
    population = Population.of(plan, np.arange(4))
    assert len(Sampler(plan, population).true_values(*due)) == 0
