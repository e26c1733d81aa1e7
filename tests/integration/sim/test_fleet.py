"""A fleet of Ray actors: the same readings however it is spread, and clean ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import psutil
import pytest

from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.errors import EnrolError, PlanError, ShardError
from fleetsim.faults import SensorFault
from fleetsim.faults.kinds import dropout, spike
from fleetsim.fleet import Fleet
from fleetsim.ledger.report import Disposition, LedgerReport
from fleetsim.load.change import LoadChange
from fleetsim.settings import FleetPlan

pytestmark = pytest.mark.usefixtures("cluster")

START_US = 1_780_272_000_000_000
MIX = {"thermometer": 0.6, "climate_v2": 0.4}
MakePlan = Callable[..., FleetPlan]


@asynccontextmanager
async def _started(plan: FleetPlan) -> AsyncIterator[Fleet]:
    fleet = await Fleet.start(plan)
    try:
        yield fleet
    finally:
        await fleet.stop()


def _orders() -> list[SensorFault | LoadChange]:
    def at(second: int) -> int:
        return START_US + second * 1_000_000

    return [
        SensorFault(dropout.Settings(probability=0.5), at(3), at(9), order=0, share=0.4),
        SensorFault(spike.Settings(probability=0.3, magnitude=10.0), at(5), at(20), order=1),
        LoadChange(at(10), rate=150.0),
    ]


async def _run(fleet: Fleet, *, virtual_s: int = 20, speed: float = 20.0) -> LedgerReport:
    await fleet.enrol()
    law = ClockLaw(START_US, wall_now_us(), speed)
    await fleet.begin(law)
    for order in _orders():
        await fleet.apply(order)
    for second in range(5, virtual_s + 1, 5):
        sample = await fleet.advance(START_US + second * 1_000_000, law)
        assert sample.virtual_us >= START_US + second * 1_000_000
    assert (await fleet.drain(10)).buffered == 0
    return await fleet.close_books()


@pytest.mark.parametrize(
    "spread",
    [
        {"shards": 2},
        pytest.param({"shards": 4}, marks=pytest.mark.campaign),
        pytest.param({"devices_per_shard": 1}, marks=pytest.mark.campaign),
    ],
)
async def test_the_digest_is_the_same_however_the_fleet_is_spread(
    make_plan: MakePlan, spread: dict[str, int]
) -> None:
    changes: dict[str, Any] = {"mix": MIX, "interval": 0.7}
    async with _started(make_plan(**changes)) as fleet:
        whole = await _run(fleet)
    async with _started(make_plan(**changes, **spread)) as fleet:
        assert fleet.shards == spread.get("shards", 20)
        assert len(set(fleet.pids)) == fleet.shards
        assert fleet.devices == 20
        spread_out = await _run(fleet, speed=40.0)
        readings = await fleet.readings(np.arange(spread_out.sensors))
    assert spread_out.digest == whole.digest
    assert spread_out.emitted.tolist() == whole.emitted.tolist()
    assert spread_out.withheld["dropout"].tolist() == whole.withheld["dropout"].tolist()
    assert sorted(spread_out.truth) == sorted(whole.truth)
    assert spread_out.serial == whole.serial
    counted = np.bincount(readings.sensor, minlength=fleet.sensors)
    assert counted.tolist() == whole.emitted.tolist()
    withheld = (readings.disposition == Disposition.WITHHELD).sum()
    assert withheld == whole.withheld["dropout"].sum() > 0
    assert (np.diff(readings.sensor) >= 0).all()


async def test_shards_enrol_their_devices_over_the_network_and_tell_how_far_they_are(
    make_plan: MakePlan, backend: Any
) -> None:
    plan = make_plan("http_arrow", url=backend.url, shards=2, devices_per_gateway=6)
    async with _started(plan) as fleet:
        told: list[tuple[int, int]] = []
        await fleet.enrol(lambda done, total: told.append((done, total)))
        assert told[-1] == (20, 20)
        assert len(backend.serials) == len(set(backend.serials)) == 20 + 4
        assert {s for s in backend.serials if "-g" in s} == {
            "test-g0-0", "test-g0-1", "test-g1-0", "test-g1-1",
        }  # fmt: skip
        law = ClockLaw(START_US, wall_now_us(), 20.0)
        await fleet.begin(law)
        await fleet.advance(START_US + 10_000_000, law)
        await fleet.drain(5)
        report = await fleet.close_books()
    assert report.acknowledged.tolist() == [10] * 20
    assert len(backend.stored) == 200


async def test_a_plan_that_cannot_be_simulated_is_told_by_its_own_error(
    make_plan: MakePlan,
) -> None:
    with pytest.raises(PlanError, match="starship"):
        await Fleet.start(make_plan(mix={"starship": 1.0}))


async def test_a_backend_that_is_not_there_is_an_error_of_enrolment(make_plan: MakePlan) -> None:
    async with _started(make_plan("http_json", url="http://127.0.0.1:9")) as fleet:
        with pytest.raises(EnrolError, match=r"127\.0\.0\.1:9 cannot be reached"):
            await fleet.enrol()


async def test_a_shard_whose_process_has_ended_is_an_error(make_plan: MakePlan) -> None:
    async with _started(make_plan(shards=2)) as fleet:
        await fleet.enrol()
        law = ClockLaw(START_US, wall_now_us(), 1.0)
        await fleet.begin(law)
        work = asyncio.ensure_future(fleet.advance(START_US + 60_000_000, law))
        await asyncio.sleep(0)
        psutil.Process(fleet.pids[1]).kill()
        with pytest.raises(ShardError, match="shard 1 is gone"):
            await work
        with pytest.raises(ShardError):
            await fleet.drain(1)


async def test_no_actor_is_left_after_stop(make_plan: MakePlan) -> None:
    async with _started(make_plan(shards=2)) as fleet:
        pids = fleet.pids
        assert all(psutil.pid_exists(pid) for pid in pids)
    _, alive = psutil.wait_procs(
        [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=10
    )
    assert alive == []


async def test_an_order_that_comes_too_late_is_refused(make_plan: MakePlan) -> None:
    async with _started(make_plan()) as fleet:
        await fleet.enrol()
        law = ClockLaw(START_US, wall_now_us(), 20.0)
        await fleet.begin(law)
        await fleet.advance(START_US + 5_000_000, law)
        with pytest.raises(ShardError, match="after its start"):
            await fleet.apply(LoadChange(START_US + 4_000_000, rate=5.0))
