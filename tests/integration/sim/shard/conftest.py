"""A shard played from enrolment to closed books, in this process, against any backend."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.ledger.report import LedgerReport, Sample
from fleetsim.settings import FleetPlan
from fleetsim.shard.sensing import Order
from fleetsim.shard.shard import Shard


@dataclass
class Played:
    """A shard after its books were closed; samples: of each step and of the drain."""

    shard: Shard
    report: LedgerReport
    digest: str
    samples: list[Sample]


Play = Callable[..., Awaitable[Played]]


@pytest.fixture
def play() -> Play:
    """Plays a plan; `between(step)` is awaited before each step."""

    async def play(
        plan: FleetPlan,
        *,
        virtual_s: float = 10.0,
        steps: int = 2,
        speed: float = 20.0,
        drain_s: float = 5.0,
        orders: Sequence[Order] = (),
        between: Callable[[int], Awaitable[None]] | None = None,
    ) -> Played:
        shard = Shard(plan, 0)
        await shard.open()
        await shard.enrol()
        law = ClockLaw(plan.start_us, wall_now_us(), speed)
        await shard.begin(law)
        try:
            for order in orders:
                await shard.apply(order)
            samples = []
            for step in range(steps):
                if between is not None:
                    await between(step)
                until_us = plan.start_us + round(virtual_s * 1e6 * (step + 1) / steps)
                samples.append(await shard.advance(until_us, law))
            samples.append(await shard.drain(drain_s))
            report, digest = await shard.close_books()
        finally:
            await shard.stop()
        return Played(shard, report, digest.hex(), samples)

    return play
