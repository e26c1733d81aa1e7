"""What one shard offers over a real network, and what a reading costs it."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fleetsim.ledger.histogram as histograms
from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.ledger.digest import reading_hash
from fleetsim.settings import FleetPlan
from fleetsim.shard.shard import Shard

pytestmark = pytest.mark.bench

MakePlan = Callable[..., FleetPlan]
SECONDS = 5


@pytest.mark.parametrize(
    ("transport", "rate", "devices"),
    [
        ("null_sink", 200_000, 25_000),
        ("http_arrow", 100_000, 25_000),
        ("http_arrow", 200_000, 25_000),
        ("http_json", 4_000, 4_000),
        ("http_json", 8_000, 8_000),
        ("http_json", 12_000, 12_000),
    ],
)
async def test_offered_by_one_shard(
    make_plan: MakePlan, sink_url: str, transport: str, rate: int, devices: int
) -> None:
    plan = make_plan(transport, devices, float(rate), sink_url)
    shard = Shard(plan, 0)
    await shard.open()
    await shard.enrol()
    law = ClockLaw(plan.start_us, wall_now_us() + 100_000, 1.0)
    await shard.begin(law)
    # The first second has the phases of all devices to pass; it is not counted.
    await shard.advance(plan.start_us + 1_000_000, law)
    cpu_s, started = time.process_time(), time.perf_counter()
    samples = [
        await shard.advance(plan.start_us + second * 1_000_000, law)
        for second in range(2, SECONDS + 2)
    ]
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - started
    await shard.drain(5)
    report, _ = await shard.close_books()
    await shard.stop()
    taken = sum(s.acknowledged for s in samples)
    requests = sum(s.requests for s in samples)
    for sample in samples[1:]:
        samples[0].response.merge(sample.response)
        samples[0].schedule_lag.merge(sample.schedule_lag)
    response, lag = samples[0].response, samples[0].schedule_lag
    print(
        f"\n{transport}: {taken / wall_s:,.0f} readings/s in {requests / wall_s:,.0f} requests/s;"
        f" {cpu_s / wall_s:.0%} of a core, {cpu_s / taken * 1e6:.2f} µs a reading;"
        f" response p50 {_ms(response, 50)} p99 {_ms(response, 99)},"
        f" schedule lag p99 {_ms(lag, 99)} ms"
    )
    assert report.acknowledged.sum() == report.emitted.sum()


def _ms(histogram: histograms.Histogram, q: float) -> str:
    return f"{(histogram.percentile(q) or 0) / 1000:.1f}"


async def test_replay_of_a_shard(make_plan: MakePlan) -> None:
    plan = make_plan("null_sink", 10_000, 100_000.0)
    shard = Shard(plan, 0)
    await shard.open()
    await shard.enrol()
    law = ClockLaw(plan.start_us, wall_now_us(), 0.0)
    await shard.begin(law)
    for second in range(1, 11):
        await shard.advance(plan.start_us + second * 1_000_000, law)
    await shard.close_books()
    for sensors in (10, 10_000):
        started = time.perf_counter()
        readings = await shard.readings(np.arange(sensors))
        seconds = time.perf_counter() - started
        print(f"\nreplay of {sensors} sensors: {len(readings):,} readings in {seconds:.2f} s")
    await shard.stop()


def test_hash_and_histogram() -> None:
    rng = np.random.default_rng(1)
    high, low = rng.integers(0, 2**64, (2, 1_000_000), dtype=np.uint64)
    t_us, raw = rng.integers(0, 2**50, 1_000_000), rng.normal(size=1_000_000)
    steps: dict[str, Callable[[], Any]] = {
        "hash": lambda: reading_hash(high, low, t_us, raw),
        "histogram": lambda: histograms.Histogram().add(t_us),
    }
    for name, step in steps.items():
        started = time.perf_counter()
        step()
        print(f"\n{name}: {1 / (time.perf_counter() - started):.1f} M/s")
