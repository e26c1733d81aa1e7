"""Readings a second of each engine, and of `stream` behind its queue, by share of duplicates.

Beside the rates stands what a batch costs this process and PostgreSQL in CPU time: that says which
of the two limits, and it is less troubled by what else the machine does.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from fleetconf.units import parse
from fleetplatform.ingest.batcher import Batcher
from fleetplatform.ingest.submission import Submission

SECOND_US = 1_000_000
DAY_S = 86_400
START_US = int(parse("2026-06-10T00:00:00Z", "instant") or 0)
NOW_US = START_US + DAY_S * SECOND_US
SHARES = (0.0, 0.05, 1.0)
HISTORIES = {
    "one a second": {"sensors": 20, "step_s": 1},
    "one a minute": {"sensors": 1000, "step_s": 60},
}
BATCHES = {"row": (1, 100), "set": (4, 20_000), "stream": (20, 20_000)}
"""For each engine, how many batches of how many readings."""

pytestmark = pytest.mark.bench


class Columns(NamedTuple):
    """Readings as they are sent: index of the sensor, µs since 1970, value."""

    sensor: Any
    t_us: Any
    value: Any

    def again(self, earlier: "Columns", share: float) -> "Columns":
        """Some of them replaced by earlier ones."""
        chosen = np.random.default_rng(1).random(len(self.sensor)) < share
        return Columns(*(np.where(chosen, e, s) for s, e in zip(self, earlier, strict=True)))


class Fleet:
    """Sensors that go on measuring, one reading each step; so many batches have been made."""

    def __init__(self, sensors: int, step_s: float, start_us: int) -> None:
        self.sensors = sensors
        self.step_us = round(step_s * SECOND_US)
        self.now_us = start_us
        self._rng = np.random.default_rng(7)

    def measure(self, readings: int) -> Columns:
        """The next readings, as they arrive: of all sensors, step by step."""
        steps = max(1, readings // self.sensors)
        count = min(readings, self.sensors)
        sensor = np.tile(np.arange(count, dtype=np.int32), steps)
        t_us = self.now_us + self.step_us * np.repeat(np.arange(steps), count)
        self.now_us += self.step_us * steps
        return Columns(sensor, t_us, self._rng.normal(20, 1, len(sensor)))


def _server_cpu_s(pids: list[int]) -> float:
    """CPU seconds that these processes have used; 0 where they are another machine's."""
    ticks = 0
    for pid in pids:
        path = Path(f"/proc/{pid}/stat")
        if path.exists():
            fields = path.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def _backends(bench: Any) -> list[int]:
    rows = await bench.fetch("select pid from pg_stat_activity where usename = 'iot_ingest'")
    return [row["pid"] for row in rows]


class Stopwatch:
    """Rate and CPU of what happens between `begin` and `say`."""

    async def begin(self, bench: Any) -> None:
        """Start measuring."""
        self._pids = await _backends(bench)
        self._server_s = _server_cpu_s(self._pids)
        self._own_s, self._began_s = time.process_time(), time.perf_counter()

    def say(self, name: str, readings: int, batches: int) -> None:
        """Print it."""
        wall_s, own_s = time.perf_counter() - self._began_s, time.process_time() - self._own_s
        server_s = _server_cpu_s(self._pids) - self._server_s
        print(
            f"{name}: {readings / wall_s:>9,.0f}/s; a batch of {readings // batches:,}"
            f" {1e3 * wall_s / batches:,.1f} ms, CPU here {1e3 * own_s / batches:,.1f} ms,"
            f" PostgreSQL {1e3 * server_s / batches:,.1f} ms"
        )


@pytest.mark.parametrize("history", HISTORIES)
async def test_readings_a_second_of_each_engine(
    make_engine_bench: Callable[..., Awaitable[Any]], history: str
) -> None:
    """With a day of history; duplicates are of the batch before."""
    fleet = Fleet(**HISTORIES[history], start_us=START_US)
    bench = await make_engine_bench(fleet.sensors)
    stream = await bench.engine("stream", START_US)
    while fleet.now_us < NOW_US:
        await bench.store_columns(stream, *fleet.measure(60_000), fleet.now_us)
    await bench.fetch("vacuum analyze iot.sensor_data")
    fleet.step_us = SECOND_US
    print(f"\n{fleet.sensors} sensors with a day of {history}")
    for kind, (batches, size) in BATCHES.items():
        engine = await bench.engine(kind, fleet.now_us)
        for share in SHARES:
            earlier = fleet.measure(size)
            await bench.store_columns(engine, *earlier, fleet.now_us)
            watch, readings = Stopwatch(), 0
            await watch.begin(bench)
            for _ in range(batches):
                fresh = fleet.measure(size)
                sent = fresh.again(earlier, share)
                await bench.store_columns(engine, *sent, fleet.now_us)
                readings += len(sent.sensor)
                earlier = fresh.again(earlier, float(share == 1.0))
            watch.say(f"{kind:>6}, {share:>4.0%} duplicates", readings, batches)


class Uncounted:
    """Metrics that nobody reads."""

    def batch_stored(self, *counts: float) -> None:
        """Is not counted."""

    def values_processed(self, values: int, undefined: int) -> None:
        """Is not counted."""

    def readings_refused(self, code: str, count: int) -> None:
        """Is not counted."""

    def queue(self, rows: int) -> None:
        """Is not counted."""


class HeldLane:
    """A lane that no other process asks for."""

    held, taken = True, 0


REQUEST = 1000
QUEUE = 60_000


async def _send(batcher: Batcher, sent: list[Columns]) -> None:
    """Keep the queue at three batches until all is sent, and wait for the receipts."""
    room = asyncio.Semaphore(QUEUE // REQUEST)
    receipts = []
    for columns in sent:
        for start in range(0, len(columns.sensor), REQUEST):
            await room.acquire()
            part = Columns(*(column[start : start + REQUEST] for column in columns))
            receipts.append(batcher.submit(Submission(0, *part)))
            receipts[-1].add_done_callback(lambda _: room.release())
    for receipt in await asyncio.gather(*receipts):
        assert receipt.rejected_total == 0


async def test_readings_a_second_of_stream_behind_its_queue(
    make_engine_bench: Callable[..., Awaitable[Any]], make_settings: Callable[..., Any]
) -> None:
    """Requests of a gateway through admission, micro-batches and stages, to the receipts."""
    fleet = Fleet(2000, 1, START_US)
    bench = await make_engine_bench(fleet.sensors)
    await bench.directory.refresh(bench.pool)
    bench.directory.device_gateway[:] = 0
    batcher = Batcher(
        bench.directory, bench.pool, make_settings(), lambda: fleet.now_us, Uncounted(),
        HeldLane(), None,  # type: ignore[arg-type]
    )  # fmt: skip
    await batcher.start()
    print(f"\n{fleet.sensors:,} sensors, requests of {REQUEST:,} readings, batches of 20,000")
    batches, size = 40, 20_000
    for share in SHARES:
        made = [fleet.measure(size) for _ in range(batches + 4)]
        await _send(batcher, made[:4])
        sent = [
            made[3] if share == 1 else one.again(earlier, share)
            for earlier, one in pairwise(made[3:])
        ]
        watch = Stopwatch()
        await watch.begin(bench)
        await _send(batcher, sent)
        watch.say(f"stream, {share:>4.0%} duplicates", batches * size, batches)
    await batcher.close()
