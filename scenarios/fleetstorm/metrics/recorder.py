"""The recorder of a run: every sample of the fleet, and a look at the platform once a second."""

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleetplatform.wire.clock import REAL_TIME, ClockLaw
from fleetsim.ledger.histogram import Histogram
from fleetsim.ledger.report import Sample
from fleetstorm.metrics import platform, processes
from fleetstorm.metrics.generator import generator_summary
from fleetstorm.metrics.postgres import UNREACHABLE, Database, Observation
from fleetstorm.metrics.rates import Mark, rates
from fleetstorm.metrics.series import Distribution, Timeseries, all_windows
from fleetstorm.metrics.tenants import TenantRecorder
from fleetstorm.results.summary import Generator, Latency, Percentiles, Resources, Tenants

_POLL_INTERVAL_S = 1.0
_POLL_TIMEOUT_S = 5.0
_COUNTERS = ("emitted", "acknowledged", "dropped", "rejected", "withheld", "requests", "duplicates")
_READINGS_MIN = 10_000
"""Fewer do not tell what one takes on disk: pages that were only begun weigh more."""
_CONFLICTS = "fleetstorm_readings_conflict_total"
_DISTRIBUTIONS = {
    "response": "latency_ms.response",
    "service": "latency_ms.service",
    "age": "latency_ms.age",
    "schedule_lag": "generator.schedule_lag_ms",
}


@dataclass
class Measured:
    """What a recorder leaves: two tables for the results folder, and parts of the summary.

    offered_per_s, stored_per_s: see `rates.rates`. conflicts: readings sent again with
    another value, as the platform counts them; None if it did not say.
    """

    timeseries: Any
    histograms: Any
    latency: Latency
    resources: Resources
    generator: Generator
    offered_per_s: float | None
    stored_per_s: float | None
    conflicts: int | None
    tenants: Tenants | None = None
    response: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)
    age: Histogram = field(default_factory=Histogram)


class Recorder:
    """Measures a run from `start` to `finish`; `record` takes each sample of the fleet.

    `pids` says, at any time, the processes of each part (postgres, service, shards, driver).
    A part of the platform that does not answer leaves a gap, and no error.
    """

    def __init__(
        self,
        platform_url: str | None,
        database_url: str | None,
        pids: Callable[[], Mapping[str, Sequence[int]]],
        tenants: TenantRecorder | None = None,
    ) -> None:
        self._platform_url = platform_url
        self._database = Database(database_url, _POLL_TIMEOUT_S) if database_url else None
        self._pids = pids
        self._tenants = tenants or TenantRecorder((), ())
        self._processes = processes.Processes()
        self._series = Timeseries()
        self._distributions = {name: Distribution(m) for name, m in _DISTRIBUTIONS.items()}
        self._totals: Counter[str] = Counter()
        self._latest: dict[str, int] = {}
        self._marks: list[Mark] = []
        self._law = REAL_TIME
        self._started_us = 0
        self._polling: asyncio.Task[None] | None = None
        self._first: Observation | None = None
        self._last: Observation | None = None
        self._last_sizes: Observation | None = None
        self._waits: Counter[str] = Counter()
        self._conflicts: int | None = None
        self._conflicts_seen = 0.0
        self._cpu_s: dict[str, float] = {}
        self._rss_max: dict[str, int] = {}

    async def start(self) -> None:
        """Begin to poll; CPU time, WAL and sizes count from here."""
        self._started_us = _now_us()
        await asyncio.to_thread(self._processes.start, self._running())
        with contextlib.suppress(*UNREACHABLE, ValueError):
            await self._poll_database(sizes=True)
            await self._poll_platform()
        self._polling = asyncio.create_task(self._poll())

    def record(self, sample: Sample, law: ClockLaw) -> None:
        """Take a sample of the fleet, and the law of the clock that holds now."""
        self._law = law
        wall_s = (sample.wall_us - self._started_us) / 1e6
        for name in _COUNTERS:
            self._totals[name] += getattr(sample, name)
            self._add(sample.wall_us, f"load.{name}", self._totals[name])
        self._add(sample.wall_us, "load.buffered", sample.buffered)
        for name, distribution in self._distributions.items():
            increment: Histogram = getattr(sample, name)
            distribution.add(wall_s, increment)
            for q in (50, 99):
                value = increment.percentile(q)
                if value is not None:
                    self._add(sample.wall_us, f"{distribution.metric}.p{q}", value / 1000)
        self._tenants.record(
            sample,
            law,
            lambda metric, value, name: self._add(
                sample.wall_us, metric, value, organization=name
            ),
        )
        self._marks.append(
            Mark(
                sample.wall_us,
                sample.virtual_us,
                self._totals["emitted"],
                self._totals["acknowledged"],
            )
        )

    def latest(self, name: str) -> int | None:
        """The newest value of one of the platform's counters; None before it was seen."""
        return self._latest.get(name)

    async def finish(self) -> Measured:
        """Stop polling, look a last time, and give what was measured."""
        if self._polling:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        await self._poll_once(sizes=True)
        if self._database:
            await self._database.close()
        wall_s = (_now_us() - self._started_us) / 1e6
        return self._measured(wall_s)

    def _measured(self, wall_s: float) -> Measured:
        offered, stored = rates(self._marks, self._law)
        whole = {name: one.whole for name, one in self._distributions.items()}
        generator = generator_summary(
            whole["schedule_lag"], self._cpu_s, wall_s, os.cpu_count() or 1
        )
        return Measured(
            timeseries=self._series.table(),
            histograms=all_windows(list(self._distributions.values())),
            latency=Latency(**{n: percentiles(whole[n]) for n in ("response", "service", "age")}),
            resources=self._resources(),
            generator=generator,
            offered_per_s=offered,
            stored_per_s=stored,
            conflicts=self._conflicts,
            tenants=self._tenants.summary(),
            response=whole["response"],
            service=whole["service"],
            age=whole["age"],
        )

    async def _poll(self) -> None:
        """Look once a second; a look that takes longer makes the next one later, never more."""
        while True:
            began = time.monotonic()
            await self._poll_once()
            await asyncio.sleep(max(0.0, _POLL_INTERVAL_S - (time.monotonic() - began)))

    async def _poll_once(self, *, sizes: bool = False) -> None:
        polls = [self._poll_processes(), self._poll_platform(), self._poll_database(sizes=sizes)]
        for result in await asyncio.gather(*polls, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(
                result, (*UNREACHABLE, ValueError)
            ):
                raise result

    async def _poll_processes(self) -> None:
        cpu_s, rss = await asyncio.to_thread(self._processes.read, self._running())
        now_us = _now_us()
        self._cpu_s = cpu_s
        for part, used in cpu_s.items():
            self._add(now_us, "resources.cpu_s", used, part=part)
        for part, size in rss.items():
            self._rss_max[part] = max(self._rss_max.get(part, 0), size)
            self._add(now_us, "resources.rss_bytes", size, part=part)

    def _running(self) -> dict[str, Sequence[int]]:
        """The parts that have processes: one that never ran has no CPU time, rather than 0 s."""
        return {part: pids for part, pids in self._pids().items() if pids}

    async def _poll_platform(self) -> None:
        if self._platform_url is None:
            return
        numbers = await platform.scrape(self._platform_url, _POLL_TIMEOUT_S)
        for name, labels, value in numbers:
            self._add(_now_us(), f"platform.{name}", value, **labels)
            self._latest[name] = round(value)
        self._count_conflicts(sum(v for name, _, v in numbers if name == _CONFLICTS))

    def _count_conflicts(self, total: float) -> None:
        """Add what is new; a platform that was started again counts from 0."""
        if self._conflicts is None:
            self._conflicts, self._conflicts_seen = 0, total
        new = total - self._conflicts_seen
        self._conflicts += int(new if new >= 0 else total)
        self._conflicts_seen = total

    async def _poll_database(self, *, sizes: bool) -> None:
        if self._database is None:
            return
        seen = await asyncio.wait_for(self._database.observe(sizes=sizes), _POLL_TIMEOUT_S)
        now_us = _now_us()
        self._first = self._first or seen
        self._last = seen
        self._waits.update(seen.waits)
        self._add(now_us, "resources.wal_bytes", seen.wal_position - self._first.wal_position)
        for event, sessions in seen.waits.items():
            self._add(now_us, "resources.waits", sessions, event=event)
        if seen.heap_bytes is not None:
            self._last_sizes = seen
            self._add(now_us, "resources.table_bytes", seen.heap_bytes)
            for index, size in seen.index_bytes.items():
                self._add(now_us, "resources.index_bytes", size, index=index)

    def _add(self, wall_us: int, metric: str, value: float, **labels: str) -> None:
        self._series.add(wall_us, self._law.virtual_us(wall_us), metric, value, **labels)

    def _resources(self) -> Resources:
        stored = self._totals["acknowledged"]
        served = sum(self._cpu_s.get(part, 0.0) for part in ("postgres", "service"))
        tells = stored >= _READINGS_MIN
        by_part = _growth(self._first, self._last_sizes) if tells else None
        sizes = self._last_sizes
        wal_bytes = _wal_bytes(self._first, self._last)
        return Resources(
            cpu_s={part: round(used, 3) for part, used in self._cpu_s.items()} or None,
            rss_bytes_max=self._rss_max or None,
            wal_bytes=wal_bytes,
            wal_bytes_per_reading=wal_bytes / stored if tells and wal_bytes is not None else None,
            table_bytes=sizes.heap_bytes if sizes else None,
            index_bytes=sum(sizes.index_bytes.values()) if sizes else None,
            bytes_per_reading=sum(by_part.values()) / stored if by_part else None,
            bytes_per_reading_by_part=(
                {part: grown / stored for part, grown in by_part.items()} if by_part else None
            ),
            cpu_us_per_reading=served / stored * 1e6 if served and stored else None,
            waits=dict(self._waits.most_common()) if self._database else None,
        )


def percentiles(histogram: Histogram) -> Percentiles | None:
    """A histogram of µs as the summary has it, in ms; None when it is empty."""
    if not histogram.count:
        return None
    at = {q: (histogram.percentile(q) or 0.0) / 1000 for q in (50, 90, 99, 99.9)}
    return Percentiles(p50=at[50], p90=at[90], p99=at[99], p999=at[99.9], max=histogram.max / 1000)


def _wal_bytes(first: Observation | None, last: Observation | None) -> int | None:
    return last.wal_position - first.wal_position if first and last else None


def _growth(first: Observation | None, last: Observation | None) -> dict[str, int]:
    """By how many bytes the heap and each index have grown, of partitions that are still there."""
    if first is None or last is None or first.heaps is None or last.heaps is None:
        return {}
    grown = Counter({"heap": sum(n - first.heaps.get(one, 0) for one, n in last.heaps.items())})
    for (partition, index), size in last.indexes.items():
        grown[index] += size - first.indexes.get((partition, index), 0)
    return dict(grown)


def _now_us() -> int:
    return time.time_ns() // 1000
