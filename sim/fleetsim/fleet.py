"""The fleet as the driver sees it: its shards as Ray actors, spoken to all at once.

The only file that knows Ray. Ray runs already when a fleet is started; the actors belong to the
process that started them and end with it. Ray is imported no earlier than that, for it reads its
environment when it is imported.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetplatform.wire.clock import ClockLaw
from fleetsim.errors import FleetError, ShardError
from fleetsim.ledger.digest import RunDigest
from fleetsim.ledger.merge import merge_reports, merge_samples
from fleetsim.ledger.report import LedgerReport, Readings, Sample
from fleetsim.settings import FleetPlan
from fleetsim.shard.sensing import Order
from fleetsim.shard.shard import Facts, Shard
from fleetsim.shard.share import shard_count

_PROGRESS_EVERY_S = 0.2
_STOP_TIMEOUT_S = 5.0


class Fleet:
    """start → enrol → begin → advance, apply … → drain → close_books → readings … → stop.

    Every call goes to all shards at once and raises a FleetError if one fails; a shard whose
    process has ended is a ShardError. After an error only `stop` may follow.
    """

    def __init__(self, actors: Sequence[Any], facts: Sequence[Facts]) -> None:
        """Not called directly: see `start`."""
        self._actors = actors
        self.shards = len(actors)
        self.devices = sum(f.devices for f in facts)
        self.sensors = sum(f.sensors for f in facts)
        self.pids = [f.pid for f in facts]
        self._first_sensors = list(accumulate((f.sensors for f in facts), initial=0))

    @classmethod
    async def start(cls, plan: FleetPlan) -> "Fleet":
        """Make the actors, each with its share of the devices; raises PlanError."""
        import ray

        # Shards wait for the clock most of the time: they ask Ray for no core of their own.
        shard_actor = ray.remote(num_cpus=0, max_restarts=0)(Shard)
        reference = ray.put(plan)
        actors = [shard_actor.remote(reference, i) for i in range(shard_count(plan.fleet))]
        try:
            facts = await _all([actor.open.remote() for actor in actors])
        except BaseException:
            _kill(actors)
            raise
        return cls(actors, facts)

    async def enrol(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Register all devices; on_progress gets devices done and devices in all.

        Raises EnrolError.
        """
        work = asyncio.ensure_future(self._tell("enrol"))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=_PROGRESS_EVERY_S)
                if on_progress is not None and not work.done():
                    on_progress(sum(await self._tell("enrolled")), self.devices)
            await work
        finally:
            work.cancel()
        if on_progress is not None:
            on_progress(self.devices, self.devices)

    async def begin(self, law: ClockLaw) -> None:
        """Connect all shards; they stand at the start of virtual time."""
        await self._tell("begin", law)

    async def advance(self, until_us: int, law: ClockLaw) -> Sample:
        """Play virtual time up to `until_us` at the pace of the law, whatever the backend does."""
        return merge_samples(await self._tell("advance", until_us, law))

    async def apply(self, order: Order) -> None:
        """Give an order of the timeline to all shards, before its start is reached."""
        await self._tell("apply", order)

    async def drain(self, timeout_s: float) -> Sample:
        """Make no new readings; wait until all are answered for, or the time is up."""
        return merge_samples(await self._tell("drain", timeout_s))

    async def close_books(self) -> LedgerReport:
        """Stop sending; what is left is buffered or indeterminate. Raises LedgerError."""
        books: list[tuple[LedgerReport, RunDigest]] = await self._tell("close_books")
        report = merge_reports([shard for shard, _ in books])
        digest = RunDigest()
        for _, part in books:
            digest.merge(part)
        report.digest = digest.hex()
        return report

    async def readings(self, sensors: NDArray[np.int64]) -> Readings:
        """Every reading emitted by some sensors (indexes in the report), made from the seed."""
        shard_of = np.searchsorted(self._first_sensors, sensors, side="right") - 1
        shards = np.unique(shard_of).tolist()
        parts: list[Readings] = await _all(
            [
                self._actors[shard].readings.remote(
                    sensors[shard_of == shard] - self._first_sensors[shard]
                )
                for shard in shards
            ]
        )
        for shard, part in zip(shards, parts, strict=True):
            part.sensor = part.sensor + np.int32(self._first_sensors[shard])
        return _join(parts)

    async def stop(self) -> None:
        """End all actors; safe to call more than once and after any error."""
        actors, self._actors = self._actors, []
        with contextlib.suppress(FleetError, TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await _all([actor.stop.remote() for actor in actors])
        _kill(actors)

    async def _tell(self, method: str, *arguments: Any) -> list[Any]:
        return await _all([getattr(actor, method).remote(*arguments) for actor in self._actors])


def _join(parts: Sequence[Readings]) -> Readings:
    return Readings(
        np.concatenate([np.empty(0, np.int32), *(p.sensor for p in parts)]),
        np.concatenate([np.empty(0, np.int64), *(p.t_us for p in parts)]),
        np.concatenate([np.empty(0, np.float64), *(p.raw for p in parts)]),
        np.concatenate([np.empty(0, np.int8), *(p.disposition for p in parts)]),
    )


async def _all(answers: Sequence[Awaitable[Any]]) -> list[Any]:
    """The answers of all shards, in order; the first failure is raised at once."""
    return list(await asyncio.gather(*(_one(i, answer) for i, answer in enumerate(answers))))


async def _one(shard: int, answer: Awaitable[Any]) -> Any:
    from ray.exceptions import RayError, RayTaskError

    try:
        return await answer
    except RayTaskError as error:
        if isinstance(error.cause, FleetError):
            raise error.cause from None
        raise ShardError(f"shard {shard} has failed: {error.cause!r}") from error
    except RayError as error:
        raise ShardError(f"shard {shard} is gone; its process has ended") from error


def _kill(actors: Sequence[Any]) -> None:
    import ray

    for actor in actors:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(actor)
