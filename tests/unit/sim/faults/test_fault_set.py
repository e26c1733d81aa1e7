"""Faults: what they change is what the truth says, on any shard and in any grouping."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetconf.kinds import find
from fleetsim.devices.population import Population
from fleetsim.errors import PlanError
from fleetsim.faults import CAUSES, FaultSet, SensorFault
from fleetsim.faults.kinds import dropout, spike, stuck
from fleetsim.ledger.truth import Interval
from fleetsim.load.change import LoadChange
from fleetsim.load.schedule import Due, Schedule
from fleetsim.settings import FleetPlan
from fleetsim.signals import Sampler

MakePlan = Callable[..., FleetPlan]

START_US = 1_780_272_000_000_000
END_US = START_US + 60_000_000


class Made(NamedTuple):
    """The readings of a shard: n long each but for the truth."""

    draw_id: np.ndarray
    tick: np.ndarray
    t_us: np.ndarray
    true: np.ndarray
    value: np.ndarray
    withheld: np.ndarray
    label: np.ndarray
    truth: list[Interval]

    def rows(self) -> list[tuple[Any, ...]]:
        """One tuple a reading, in order of sensor and tick."""
        return sorted(zip(*(column.tolist() for column in self[:-1]), strict=True))


def _make(
    plan: FleetPlan,
    faults: list[SensorFault],
    ordinals: np.ndarray | None = None,
    edges_us: tuple[int, ...] = (START_US, END_US),
    change: LoadChange | None = None,
    order: np.random.Generator | None = None,
) -> Made:
    ordinals = np.arange(plan.fleet.devices) if ordinals is None else ordinals
    population = Population.of(plan, ordinals)
    schedule, sampler = Schedule(plan, population), Sampler(plan, population)
    fault_set = FaultSet(plan, population, schedule, sampler)
    for fault in faults:
        fault_set.add(fault)
    if change:
        schedule.change(change)
    parts = []
    for a, b in pairwise(edges_us):
        due = schedule.due(a, b)
        if order is not None:
            shuffled = order.permutation(len(due.tick))
            due = Due(*(column[shuffled] for column in due))
        true = sampler.true_values(*due)
        before = true.copy()
        value, withheld, label = fault_set.apply(*due, true)
        assert np.array_equal(true, before)
        parts.append((population.draw_id[due.sensor], *due[1:], true, value, withheld, label))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Made(*columns, fault_set.truth())


def _fault(kind: Any, order: int, **changes: Any) -> SensorFault:
    fields = {"start_us": START_US + 20_000_000, "end_us": START_US + 40_000_000}
    return SensorFault(kind=kind, order=order, **fields | changes)


STUCK = stuck.Settings()
SPIKE = spike.Settings(magnitude=30.0, probability=0.3)
DROPOUT = dropout.Settings(probability=0.5)
THREE = [
    _fault(STUCK, 0, share=0.3, sensor="temperature"),
    _fault(SPIKE, 1, share=0.5, start_us=START_US + 10_000_000),
    _fault(DROPOUT, 2, share=0.4, device_type="climate_v2"),
]


def test_a_stuck_sensor_repeats_its_first_value(make_plan: MakePlan) -> None:
    made = _make(make_plan(interval=1.0), [_fault(STUCK, 0)])
    within = (made.t_us >= START_US + 20_000_000) & (made.t_us < START_US + 40_000_000)
    assert (made.label == within).all()
    assert np.array_equal(made.value[~within], made.true[~within])
    for sensor in np.unique(made.draw_id):
        mine = within & (made.draw_id == sensor)
        assert set(made.value[mine].tolist()) == {made.true[mine][0]}
        assert mine.sum() == 20


def test_a_spike_adds_its_magnitude_to_some(make_plan: MakePlan) -> None:
    made = _make(make_plan(200, interval=1.0), [_fault(SPIKE, 0)])
    hit = made.label == spike.Settings.label
    assert np.array_equal(made.value[hit], made.true[hit] + 30)
    assert np.array_equal(made.value[~hit], made.true[~hit])
    within = (made.t_us >= START_US + 20_000_000) & (made.t_us < START_US + 40_000_000)
    assert abs(hit[within].mean() - 0.3) < 0.02
    assert not hit[~within].any()


def test_a_dropout_withholds_and_leaves_the_value(make_plan: MakePlan) -> None:
    made = _make(make_plan(interval=1.0), [_fault(dropout.Settings(probability=1.0), 0)])
    within = (made.t_us >= START_US + 20_000_000) & (made.t_us < START_US + 40_000_000)
    assert np.array_equal(made.withheld, within)
    assert np.array_equal(made.value, made.true)
    assert set(made.label[within].tolist()) == {dropout.Settings.label}


def test_the_truth_covers_exactly_what_was_changed(make_plan: MakePlan) -> None:
    made = _make(make_plan(40, interval=0.5), THREE)
    touched = set(made.draw_id[made.label > 0].tolist())
    in_truth = {entry.device_ordinal * 1024 + entry.sensor_ordinal for entry in made.truth}
    assert touched == in_truth
    for sensor, t_us, label in zip(made.draw_id, made.t_us, made.label, strict=True):
        if label:
            assert any(
                entry.kind == CAUSES[label]
                and (entry.device_ordinal, entry.sensor_ordinal) == divmod(sensor, 1024)
                and entry.start_us <= t_us < entry.end_us
                for entry in made.truth
            )
    assert {entry.severity for entry in made.truth if entry.kind == "spike"} == {30.0}


@pytest.mark.parametrize("shards", [2, 4, 20])
def test_any_shard_plants_the_same_faults(make_plan: MakePlan, shards: int) -> None:
    plan = make_plan(20, interval=1.0)
    whole = _make(plan, THREE)
    parts = [_make(plan, THREE, part) for part in np.array_split(np.arange(20), shards)]
    assert sorted(row for part in parts for row in part.rows()) == whole.rows()
    assert sorted(t for part in parts for t in part.truth) == sorted(whole.truth)


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(START_US, END_US), max_size=8), seed=st.integers(0, 9))
def test_any_slicing_and_order_makes_the_same_readings(
    make_plan: MakePlan, cuts: list[int], seed: int
) -> None:
    plan = make_plan(10, interval=1.0)
    change = LoadChange(START_US + 15_000_000, interval=0.4)
    edges = (START_US, *sorted(cuts), END_US)
    whole = _make(plan, THREE, change=change)
    sliced = _make(plan, THREE, edges_us=edges, change=change)
    shuffled = _make(
        plan, THREE, edges_us=edges, change=change, order=np.random.default_rng(seed)
    )
    assert sliced.rows() == whole.rows()
    assert shuffled.rows() == whole.rows()


def test_a_sensor_made_again_from_the_middle_is_stuck_at_the_same_value(
    make_plan: MakePlan,
) -> None:
    plan, faults = make_plan(5, interval=1.0), [_fault(STUCK, 0)]
    whole = _make(plan, faults).rows()
    middle_us = START_US + 30_000_000
    later = _make(plan, faults, edges_us=(middle_us, END_US)).rows()
    assert later == [row for row in whole if row[2] >= middle_us]


def test_faults_of_one_reading_follow_their_order(make_plan: MakePlan) -> None:
    always = spike.Settings(magnitude=5.0, probability=1.0)
    first, second = _fault(always, 3), _fault(STUCK, 7)
    made = _make(make_plan(4, interval=1.0), [second, first])
    hit = made.label > 0
    assert set(made.label[hit].tolist()) == {stuck.Settings.label}
    swapped = _make(
        make_plan(4, interval=1.0), [_fault(STUCK, 3), _fault(always, 7)]
    )
    assert np.array_equal(swapped.value[hit], made.value[hit] + 5)


@pytest.mark.parametrize(("share", "devices"), [(0.0, 0), (0.001, 1), (0.25, 10), (1.0, 40)])
def test_a_share_is_met_exactly(make_plan: MakePlan, share: float, devices: int) -> None:
    plan = make_plan(80, mix={"climate_v2": 0.5, "thermometer": 0.5})
    fault = _fault(STUCK, 0, share=share, device_type="thermometer")
    chosen = {entry.device_ordinal for entry in _make(plan, [fault]).truth}
    assert abs(len(chosen) - devices) <= (1 if share > 0.1 else 0)


def test_devices_may_be_named(make_plan: MakePlan) -> None:
    fault = _fault(STUCK, 0, devices=(2, 5, 99), sensor="humidity")
    made = _make(make_plan(mix={"climate_v2": 1.0}), [fault])
    assert [(t.device_ordinal, t.sensor_ordinal) for t in made.truth] == [(2, 1), (5, 1)]


def test_a_fault_that_no_sensor_can_have_is_refused(make_plan: MakePlan) -> None:
    with pytest.raises(PlanError, match=r"no any device\.wind; it has climate_v2\.humidity"):
        _make(make_plan(mix={"climate_v2": 1.0}), [_fault(STUCK, 0, sensor="wind")])


def test_labels_are_unique_and_never_nought() -> None:
    modules = find("fleetsim.faults.kinds")
    assert {module.Settings.label: name for name, module in modules.items()} == CAUSES
    assert len(CAUSES) == len(modules)
    assert min(CAUSES) > 0
    assert list(modules) == ["dropout", "spike", "stuck"]
