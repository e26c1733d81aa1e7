"""What a shard's books say beside what a backend really holds, whatever that backend does."""

import asyncio
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.errors import ShardError, TransportError
from fleetsim.faults import SensorFault
from fleetsim.faults.kinds import dropout
from fleetsim.ledger.digest import reading_hash
from fleetsim.ledger.report import Disposition, LedgerReport, Readings
from fleetsim.settings import FleetPlan, RuleOfOracle
from fleetsim.shard.shard import Shard

START_US = 1_780_272_000_000_000
BEHAVIOURS = (
    "ok", "401", "413", "429", "500", "503", "die_before", "die_after", "half_answer", "garbage",
    "lie", "silent", "reject_some", "reject_many", "reject_all",
)  # fmt: skip
_FAST_RETRY = {"initial": "20ms", "max": "100ms", "jitter": "50%"}
_KEYS: dict[str, dict[str, Any]] = {
    "http_json": {"report_interval": "20ms", "timeout": "300ms", "retry": _FAST_RETRY},
    "http_arrow": {"report_interval": "50ms", "timeout": "300ms", "retry": _FAST_RETRY},
}
TRANSPORTS = tuple(_KEYS)
MakePlan = Callable[..., FleetPlan]
Backend = Any
Play = Any


def _plan(make_plan: MakePlan, backend: Backend, transport: str, **changes: Any) -> FleetPlan:
    keys = {**_KEYS[transport], **changes.pop("transport_keys", {})}
    changes = {"devices_per_gateway": 8, **changes}
    return make_plan(transport, url=backend.url, transport_keys=keys, **changes)


def _sum(causes: dict[str, Any]) -> int:
    return sum(int(counts.sum()) for counts in causes.values())


def _found(backend: Backend, report: LedgerReport, readings: Readings) -> np.ndarray[Any, Any]:
    """Which of the readings the backend holds, with the same bits."""
    columns = (
        report.sensor_high[readings.sensor], report.sensor_low[readings.sensor],
        readings.t_us, readings.raw,
    )  # fmt: skip
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return np.array([backend.stored.get((h, low, t)) == v for h, low, t, v in rows], np.bool_)


async def _check(backend: Backend, played: Any) -> Readings:
    """Hold the books against the backend: every reading, one by one, and the sums."""
    report: LedgerReport = played.report
    readings: Readings = await played.shard.readings(np.arange(report.sensors))
    found = _found(backend, report, readings)
    ends = readings.disposition
    assert found[ends == Disposition.ACKNOWLEDGED].all()
    open_ended = ends == Disposition.INDETERMINATE
    assert not found[(ends != Disposition.ACKNOWLEDGED) & ~open_ended].any()
    assert len(backend.stored) == found.sum()
    counted = [
        report.acknowledged.sum(), _sum(report.rejected), _sum(report.dropped),
        _sum(report.withheld), report.buffered.sum(), report.indeterminate.sum(),
    ]  # fmt: skip
    assert np.bincount(ends, minlength=6).tolist() == counted
    assert len(readings) == report.emitted.sum() == sum(s.emitted for s in played.samples)
    taken = ends == Disposition.ACKNOWLEDGED
    hashes = reading_hash(
        report.sensor_high[readings.sensor], report.sensor_low[readings.sensor],
        readings.t_us, readings.raw,
    )  # fmt: skip
    assert hashes[taken].sum(dtype=np.uint64) == report.acknowledged_hash.sum(dtype=np.uint64)
    return readings


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_all_is_acknowledged_by_a_backend_that_behaves(
    make_plan: MakePlan, backend: Backend, play: Play, transport: str
) -> None:
    played = await play(_plan(make_plan, backend, transport))
    await _check(backend, played)
    assert played.report.acknowledged.tolist() == [10] * 20
    assert played.report.duplicates == 0
    assert [s.buffered for s in played.samples][-1] == 0
    assert sum(s.response.count for s in played.samples) == 200
    assert sum(s.age.count for s in played.samples) == 200
    assert sum(s.schedule_lag.count for s in played.samples) == 200
    assert sum(s.requests for s in played.samples) == played.report.requests == backend.requests


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
async def test_the_books_hold_when_every_third_request_meets(
    make_plan: MakePlan, backend: Backend, play: Play, transport: str, behaviour: str
) -> None:
    backend.behave = lambda number: behaviour if number % 3 == 1 else "ok"
    played = await play(_plan(make_plan, backend, transport))
    await _check(backend, played)
    report = played.report
    assert report.buffered.sum() == report.indeterminate.sum() == 0
    assert backend.behaved[behaviour] > 0
    if behaviour in ("401", "413"):
        assert report.rejected[f"http_{behaviour}"].sum() > 0
    elif behaviour in ("die_after", "half_answer", "silent"):
        assert 0 < report.duplicates <= backend.doubled
    elif not behaviour.startswith("reject"):
        assert report.acknowledged.sum() == report.emitted.sum()


@pytest.mark.parametrize("transport", TRANSPORTS)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
async def test_the_books_hold_under_any_mixture_of_behaviours(
    make_plan: MakePlan, backend: Backend, play: Play, transport: str, seed: int
) -> None:
    note(f"seed {seed}")
    choice = random.Random(seed)
    backend.stored.clear()
    mixture = choice.sample(BEHAVIOURS, k=choice.randint(1, 5))
    backend.behave = lambda number: choice.choice(mixture)
    keys = {"buffer": choice.choice([3, 10, 1000])}
    plan = _plan(make_plan, backend, transport, seed=seed, transport_keys=keys)
    played = await play(plan, drain_s=choice.choice([0.0, 0.3]))
    await _check(backend, played)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_nothing_is_lost_or_doubled_when_the_backend_dies_and_comes_back(
    make_plan: MakePlan, backend: Backend, play: Play, transport: str
) -> None:
    async def between(step: int) -> None:
        if step == 1:
            await backend.stop()
        elif step == 2:
            await backend.start()

    played = await play(_plan(make_plan, backend, transport), steps=4, between=between)
    await _check(backend, played)
    assert played.report.acknowledged.tolist() == [10] * 20


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_full_buffer_drops_the_oldest_and_the_schedule_goes_on(
    make_plan: MakePlan, backend: Backend, play: Play, transport: str
) -> None:
    async def between(step: int) -> None:
        if step == 1:
            await backend.stop()
        elif step == 3:
            await backend.start()

    buffer = 2 if transport == "http_json" else 16
    plan = _plan(make_plan, backend, transport, transport_keys={"buffer": buffer})
    played = await play(plan, steps=4, virtual_s=20, between=between)
    readings = await _check(backend, played)
    report = played.report
    assert report.emitted.tolist() == [20] * 20
    assert report.dropped["buffer_full"].sum() > 0
    assert report.acknowledged.sum() + report.dropped["buffer_full"].sum() == 400
    newest = readings.t_us >= START_US + 19_000_000
    assert (readings.disposition[newest] == Disposition.ACKNOWLEDGED).all()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_was_never_answered_is_indeterminate_and_what_was_never_sent_is_buffered(
    make_plan: MakePlan, backend: Backend, play: Play, transport: str
) -> None:
    backend.behave = lambda number: "ok" if number < 10 else "silent"
    plan = _plan(make_plan, backend, transport, transport_keys={"timeout": "60s"})
    started = asyncio.get_running_loop().time()
    played = await play(plan, drain_s=0.2)
    assert asyncio.get_running_loop().time() - started < 5
    await _check(backend, played)
    report = played.report
    assert report.indeterminate.sum() > 0
    assert report.buffered.sum() > 0
    assert report.acknowledged.sum() > 0


async def test_withheld_readings_are_never_sent_and_their_cause_is_told(
    make_plan: MakePlan, backend: Backend, play: Play
) -> None:
    fault = SensorFault(
        dropout.Settings(probability=1.0), START_US + 2_000_000, START_US + 7_000_000, 0, share=0.5
    )
    played = await play(_plan(make_plan, backend, "http_arrow"), orders=[fault])
    await _check(backend, played)
    report = played.report
    assert sorted(report.withheld["dropout"].tolist()) == [0] * 10 + [5] * 10
    assert len(report.truth) == 10
    assert {interval.kind for interval in report.truth} == {"dropout"}


async def test_more_rejections_than_a_receipt_names_are_all_found(
    make_plan: MakePlan, backend: Backend, play: Play
) -> None:
    backend.behave = lambda number: "reject_some"
    plan = _plan(
        make_plan, backend, "http_arrow", devices=3000, devices_per_gateway=3000, interval=4.0
    )
    played = await play(plan, virtual_s=4.0, steps=1, drain_s=20)
    await _check(backend, played)
    rejected = played.report.rejected["out_of_window"].sum()
    assert 200 < rejected < 400
    assert played.report.acknowledged.sum() == 3000 - rejected


async def test_the_oracle_expects_alerts_from_acknowledged_readings_alone(
    make_plan: MakePlan, backend: Backend, play: Play
) -> None:
    backend.behave = lambda number: "401" if number % 2 else "ok"
    rule = RuleOfOracle(
        name="any", conditions={"threshold_high": -1000.0}, device_type=None, sensor_type=None
    )
    played = await play(_plan(make_plan, backend, "http_json", rules=(rule,)))
    readings = await _check(backend, played)
    first: dict[int, int] = {}
    taken = readings.disposition == Disposition.ACKNOWLEDGED
    for sensor, t_us in zip(
        readings.sensor[taken].tolist(), readings.t_us[taken].tolist(), strict=True
    ):
        first.setdefault(sensor, t_us)
    expected = played.report.expected_alerts
    assert {(a.sensor, a.raised_us) for a in expected} == set(first.items())
    assert {(a.rule, a.resolved_us, a.certain) for a in expected} == {("any", -1, True)}


async def test_a_stopped_clock_is_stepped_and_each_step_ends_when_it_is_answered(
    make_plan: MakePlan, backend: Backend, play: Play
) -> None:
    played = await play(_plan(make_plan, backend, "http_arrow"), speed=0.0, steps=5)
    await _check(backend, played)
    assert [s.acknowledged for s in played.samples] == [40, 40, 40, 40, 40, 0]
    assert sum(s.response.count for s in played.samples) == 0
    assert sum(s.service.count for s in played.samples) == 200


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_books_closed_in_the_middle_of_a_step_balance(
    make_plan: MakePlan, backend: Backend, transport: str
) -> None:
    """As after Ctrl-C: whoever waits for the step is let go, and nothing is made any more."""
    plan = _plan(make_plan, backend, transport)
    shard = Shard(plan, 0)
    await shard.open()
    await shard.enrol()
    law = ClockLaw(START_US, wall_now_us(), 20.0)
    await shard.begin(law)
    step = asyncio.ensure_future(shard.advance(START_US + 3_600_000_000, law))
    await asyncio.wait_for(_until(lambda: backend.requests > 5), 5)
    report, _ = await shard.close_books()
    sample = await asyncio.wait_for(step, 1)
    await _check(backend, SimpleNamespace(shard=shard, report=report, samples=[sample]))
    assert report.emitted.sum() > 0
    await shard.stop()


async def test_a_url_that_cannot_be_spoken_to_is_refused_before_anything_starts(
    make_plan: MakePlan
) -> None:
    shard = Shard(make_plan("http_json", url="https://127.0.0.1"), 0)
    await shard.open()
    with pytest.raises(TransportError, match="give a URL like"):
        await shard.enrol()
    with pytest.raises(ShardError, match="after it has enrolled"):
        await shard.begin(ClockLaw(START_US, wall_now_us(), 1.0))


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)
