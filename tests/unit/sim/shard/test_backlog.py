"""Backlogs: the same readings in any slots, on any shard, once each; replay makes them again."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from fleetsim.devices.population import Population
from fleetsim.errors import PlanError
from fleetsim.ledger.exceptions import Exceptions
from fleetsim.ledger.report import Disposition
from fleetsim.load.backlog import Backlog
from fleetsim.settings import FleetPlan
from fleetsim.shard.replay import replay
from fleetsim.shard.sensing import Sensing, is_past

MakePlan = Callable[..., FleetPlan]

DAY_US = 86_400_000_000
DEVICES = 40


def backlog(plan: FleetPlan, **changes: object) -> Backlog:
    """A quarter of the devices, two days at a reading an hour, delivered in the second 10 … 30."""
    fields = {
        "at_us": plan.start_us + 10_000_000, "within_us": 20_000_000,
        "since_us": plan.start_us - 2 * DAY_US, "until_us": plan.start_us,
        "interval": 3600.0, "share": 0.25, "order": 3,
    } | changes  # fmt: skip
    return Backlog(**fields)  # type: ignore[arg-type]


def delivered(plan: FleetPlan, ordinals: range, slots: int) -> np.ndarray:
    """Rows of draw id, tick, time and value, sorted."""
    population = Population.of(plan, np.array(ordinals))
    sensing = Sensing(plan, population)
    sensing.apply(backlog(plan))
    cuts = np.linspace(plan.start_us, plan.start_us + 60_000_000, slots + 1).astype(int).tolist()
    rows = [
        (population.draw_id[one.due.sensor], one.due.tick, one.due.t_us, one.raw)
        for start, stop in itertools.pairwise(cuts)
        for one in sensing.delivered(start, stop)
    ]
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return np.sort(np.rec.fromarrays(columns), order=["f0", "f1"])


@pytest.mark.parametrize("slots", [1, 7, 300])
def test_any_slots_deliver_the_same_readings_once(make_plan: MakePlan, slots: int) -> None:
    plan = make_plan(DEVICES, {"thermometer": 1})
    found = delivered(plan, range(DEVICES), slots)
    assert len(found) == DEVICES // 4 * 48
    assert len(np.unique(found[["f0", "f2"]])) == len(found)
    assert found.f2.min() >= plan.start_us - 2 * DAY_US
    assert found.f2.max() < plan.start_us
    assert is_past(found.f1).all()
    assert (found == delivered(plan, range(DEVICES), 11)).all()


def test_shards_deliver_their_parts_of_it(make_plan: MakePlan) -> None:
    plan = make_plan(DEVICES, {"thermometer": 0.5, "climate_v2": 0.5})
    parts = [delivered(plan, part, 5) for part in (range(13), range(13, DEVICES))]
    whole = delivered(plan, range(DEVICES), 5)
    assert (np.concatenate(parts) == whole).all()


def test_nothing_leaves_before_its_time_and_all_by_the_end(make_plan: MakePlan) -> None:
    plan = make_plan(DEVICES, {"thermometer": 1})
    sensing = Sensing(plan, Population.of(plan, np.arange(DEVICES)))
    order = backlog(plan)
    sensing.apply(order)
    assert sensing.delivered(plan.start_us, order.at_us) == []
    half_us = order.at_us + order.within_us // 2
    (half,) = sensing.delivered(order.at_us, half_us)
    assert len(half.raw) == DEVICES // 4 * 24
    (rest,) = sensing.delivered(half_us, order.at_us + order.within_us)
    assert len(rest.raw) == len(half.raw)
    assert sensing.delivered(order.at_us + order.within_us, order.at_us + DAY_US) == []


def test_replay_makes_them_again_with_their_ends(make_plan: MakePlan) -> None:
    plan = make_plan(DEVICES, {"thermometer": 1})
    population = Population.of(plan, np.arange(DEVICES))
    order = backlog(plan, share=1.0)
    exceptions = Exceptions()
    sensing = Sensing(plan, population)
    sensing.apply(order)
    until_us = order.at_us + order.within_us
    (all_of_it,) = sensing.delivered(plan.start_us, until_us)
    own = all_of_it.due.sensor == 5
    exceptions.add(all_of_it.due.sensor[own][:2], all_of_it.due.tick[own][:2], Disposition.REJECTED)
    made = replay(plan, population, [order], np.array([5]), until_us, exceptions)
    past = made.t_us < plan.start_us
    assert set(made.sensor.tolist()) == {5}
    assert made.t_us[past].tolist() == all_of_it.due.t_us[own].tolist()
    assert made.raw[past].tolist() == all_of_it.raw[own].tolist()
    assert (made.disposition[past] == Disposition.REJECTED).tolist() == [True] * 2 + [False] * 46
    assert past.sum() == 48
    assert (~past).sum() == 3


def test_two_backlogs_of_the_same_time_are_refused(make_plan: MakePlan) -> None:
    plan = make_plan(DEVICES)
    sensing = Sensing(plan, Population.of(plan, np.arange(DEVICES)))
    sensing.apply(backlog(plan))
    with pytest.raises(PlanError, match="two backlogs"):
        sensing.apply(backlog(plan, order=4))
    sensing.apply(
        backlog(plan, order=4, since_us=plan.start_us - 4 * DAY_US,
                until_us=plan.start_us - 2 * DAY_US)
    )  # fmt: skip
