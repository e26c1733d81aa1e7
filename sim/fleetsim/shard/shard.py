"""A shard: some devices of the fleet, from enrolment to closed books."""

import asyncio
import gc
import os
from collections import Counter
from collections.abc import Coroutine
from typing import Any, NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from fleetplatform.wire.clock import ClockLaw
from fleetsim.devices.population import Population
from fleetsim.errors import FleetError, ShardError
from fleetsim.ledger.digest import RunDigest
from fleetsim.ledger.ledger import Ledger
from fleetsim.ledger.report import LedgerReport, Readings, Sample
from fleetsim.settings import FleetPlan
from fleetsim.shard.books import Books
from fleetsim.shard.cut import Senders
from fleetsim.shard.dispatch import Dispatcher
from fleetsim.shard.enrolment import enrol, invented
from fleetsim.shard.pace import Pace
from fleetsim.shard.replay import replay
from fleetsim.shard.reporter import Reporter
from fleetsim.shard.sensing import Order, Sensing, start_of
from fleetsim.shard.share import device_ordinals
from fleetsim.transport.kinds import Identities
from fleetsim.transport.retry import Backoff

_DRAIN_TICK_S = 0.02
_STEP_ANSWER_MAX_S = 60.0


class Facts(NamedTuple):
    """What a shard is."""

    pid: int
    devices: int
    sensors: int


class Shard:
    """open → enrol → begin → advance, apply … → drain → close_books → readings … → stop.

    All waiting is done on the event loop of the first call. Errors are FleetErrors.
    """

    _population: Population
    _senders: Senders
    _sensing: Sensing

    def __init__(self, plan: FleetPlan, index: int) -> None:
        self._plan = plan
        self._index = index
        self._orders: list[Order] = []
        self._process = psutil.Process()
        self._enrolled = 0
        self._identities: Identities | None = None
        self._storm: _Storm | None = None

    async def open(self) -> Facts:
        """Make the shard's devices; raises PlanError."""
        plan = self._plan
        ordinals = device_ordinals(plan.fleet, self._index)
        self._population = population = Population.of(plan, ordinals)
        self._sensing = Sensing(plan, population)
        gateway = plan.fleet.devices_per_gateway if plan.transport.gateways else None
        self._senders = Senders(population.sensor_device, population.organization, gateway)
        return Facts(os.getpid(), population.devices, population.sensors)

    async def enrolled(self) -> int:
        """How many devices are enrolled so far."""
        return self._enrolled

    async def enrol(self) -> None:
        """Register the shard's devices with the backend; raises EnrolError."""
        if not self._plan.transport.enrols:
            self._identities = invented(self._population, self._senders)
            self._note_enrolled(self._population.devices)
            return
        self._identities = await enrol(
            self._plan, self._index, self._population, self._senders, self._note_enrolled
        )

    async def begin(self, law: ClockLaw) -> None:
        """Connect the transport and stand ready at the start of virtual time."""
        if self._identities is None:
            raise ShardError("a shard begins after it has enrolled its devices")
        self._storm = self._make_storm(self._identities, law)
        # What lives as long as the run needs no garbage collector to look at it.
        gc.collect()
        gc.freeze()

    async def advance(self, until_us: int, law: ClockLaw) -> Sample:
        """Play virtual time up to `until_us` at the pace of the law; what happened meanwhile.

        With a stopped clock all is due at once, and the step ends when it has been answered for.
        """
        storm = self._running()
        storm.reporter.extend(until_us, law)
        await storm.guard(storm.reporter.reached(until_us))
        if law.speed <= 0:
            await storm.guard(storm.answered(_STEP_ANSWER_MAX_S))
        return self._sample(storm)

    async def apply(self, order: Order) -> None:
        """Take an order of the timeline before its start is reached."""
        if self._storm is not None and start_of(order) < self._storm.reporter.reached_us:
            raise ShardError("an order of the timeline came after its start")
        self._sensing.apply(order)
        self._orders.append(order)

    async def drain(self, timeout_s: float) -> Sample:
        """Make no new readings, and wait until all are answered for or the time is up."""
        storm = self._running()
        storm.reporter.finish(hurry=False)
        await storm.guard(asyncio.shield(storm.loop))
        await storm.guard(storm.answered(timeout_s))
        return self._sample(storm)

    async def close_books(self) -> tuple[LedgerReport, RunDigest]:
        """Stop sending and account for every reading; raises LedgerError if they do not balance."""
        storm = self._running()
        storm.reporter.finish(hurry=True)
        await storm.guard(asyncio.shield(storm.loop))
        await storm.dispatcher.stop()
        storm.reporter.settle()
        uncertain, buffered = storm.dispatcher.remains()
        return storm.books.close(
            uncertain, buffered, storm.dispatcher.requests, self._sensing.faults
        )

    async def readings(self, sensors: NDArray[np.int64]) -> Readings:
        """Every reading emitted by some sensors (indexes in the shard), made again."""
        storm = self._running()
        return replay(
            self._plan,
            self._population,
            self._orders,
            sensors,
            storm.reporter.reached_us,
            storm.ledger.exceptions,
        )

    async def stop(self) -> None:
        """Drop all connections; the books may be lost."""
        if self._storm is not None:
            self._storm.loop.cancel()
            await asyncio.gather(self._storm.loop, return_exceptions=True)
            await self._storm.dispatcher.stop()

    def _note_enrolled(self, devices: int) -> None:
        self._enrolled = devices

    def _running(self) -> "_Storm":
        if self._storm is None:
            raise ShardError("the shard has not begun")
        return self._storm

    def _make_storm(self, identities: Identities, law: ClockLaw) -> "_Storm":
        plan, population, transport = self._plan, self._population, self._plan.transport
        storm = _Storm()
        storm.ledger = Ledger(
            identities.sensor_high,
            identities.sensor_low,
            population.device_ordinal[population.sensor_device],
            population.sensor_ordinal,
        )
        storm.dispatcher = Dispatcher(
            transport.build(plan.url, identities),
            Backoff(transport.retry, seed=plan.seed, shard=self._index),
            senders=self._senders.count,
            buffer_readings=transport.buffer_readings,
            body_readings=transport.body_readings,
            on_failure=storm.fail,
        )
        storm.books = Books(storm.ledger, population, plan.rules)
        pace = Pace(plan.start_us, transport.report_interval, law)
        storm.reporter = Reporter(
            pace, self._sensing, self._senders, storm.dispatcher, storm.books
        )
        storm.begin()
        return storm

    def _sample(self, storm: "_Storm") -> Sample:
        storm.reporter.settle()
        times = self._process.cpu_times()
        return storm.books.sample(
            storm.reporter.reached_us,
            storm.dispatcher.requests,
            times.user + times.system,
            self._process.memory_info().rss,
            self._refused(storm),
        )

    def _refused(self, storm: "_Storm") -> dict[int, int]:
        """Requests that were refused since the last sample, by organization."""
        counts: Counter[int] = Counter()
        for sender, refused in storm.dispatcher.refused.items():
            counts[int(self._senders.organization[sender])] += refused
        storm.dispatcher.refused.clear()
        return counts


class _Storm:
    """The parts of a shard that exist from `begin` on, and their failure."""

    ledger: Ledger
    books: Books
    dispatcher: Dispatcher
    reporter: Reporter
    loop: asyncio.Task[None]

    def __init__(self) -> None:
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        """Start the lanes and the reporting loop."""
        self.dispatcher.start()
        self.loop = asyncio.create_task(self.reporter.run())
        self.loop.add_done_callback(self._check)

    def fail(self, error: BaseException) -> None:
        """A part has failed: whoever waits is told."""
        if not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()

    async def guard(self, work: Coroutine[Any, Any, None] | asyncio.Future[None]) -> None:
        """Wait for some work, or for the failure of any part; raises FleetError."""
        task = asyncio.ensure_future(work)
        await asyncio.wait({task, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        if self._failed.done():
            task.cancel()
            error = self._failed.exception()
            if isinstance(error, FleetError):
                raise error
            raise ShardError(f"a part of the shard has failed: {error!r}") from error
        await task

    async def answered(self, timeout_s: float) -> None:
        """Return when no sender waits for an answer, or the time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while self.dispatcher.senders_waiting and loop.time() < deadline:
            await asyncio.sleep(_DRAIN_TICK_S)
            self.reporter.settle()

    def _check(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
