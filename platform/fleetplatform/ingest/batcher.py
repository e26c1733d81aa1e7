"""The queue before the database: many requests, one transaction, receipts after commit."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from fleetplatform.database.pool import Pool
from fleetplatform.errors import Overloaded, Unavailable
from fleetplatform.ingest.admission import Window, judge
from fleetplatform.ingest.checkpoint import REWIND_US
from fleetplatform.ingest.contact import LastContact
from fleetplatform.ingest.engines import Engine, make_engine
from fleetplatform.ingest.lane import Lane
from fleetplatform.ingest.submission import Arrivals, Submission, gather
from fleetplatform.registry.directory import Directory
from fleetplatform.settings import EncryptionKeys, PlatformSettings
from fleetplatform.timeseries.stored_days import StoredDays
from fleetplatform.wire.problems import DETAILS, Rejection
from fleetplatform.wire.resources.receipts import Receipt, RejectedReading

REJECTED_LISTED_MAX = 100
RECOVERY_PAUSE_S = 0.2

_CLOSING = "the platform is shutting down; send again later"
_NOT_TAKEN = "the database did not take the batch; send again later"

_log = structlog.get_logger()


class _Waiting(NamedTuple):
    """One request that waits for its commit; `since_s` on the loop's clock."""

    submission: Submission
    future: "asyncio.Future[Receipt]"
    since_s: float


class Metrics(Protocol):
    """What the batcher counts; `observe.Metrics` is one."""

    def batch_stored(
        self, rows: int, duplicates: int, conflicts: int, raised: int, cleared: int, seconds: float
    ) -> None:
        """One micro-batch was committed."""

    def values_processed(self, values: int, undefined: int) -> None:
        """Rules made so many values of a batch, of which so many are undefined."""

    def readings_refused(self, code: str, count: int) -> None:
        """Readings were rejected with a code."""

    def queue(self, rows: int) -> None:
        """So many readings wait or are being stored."""


class Batcher:
    """Closes micro-batches at `max_rows` or `max_wait` and stores them one after another.

    Life: made → start() → submit() … → close(). After close() nothing is taken any more, and
    whatever was taken has been answered: by a receipt, or by Unavailable.
    """

    def __init__(
        self,
        directory: Directory,
        pool: Pool,
        settings: PlatformSettings,
        clock: Callable[[], int],
        metrics: Metrics,
        lane: Lane,
        keys: EncryptionKeys | None,
    ) -> None:
        self._directory = directory
        self._pool = pool
        self._limits = settings.ingest
        self._clock = clock
        self._metrics = metrics
        self._lane = lane
        self._built_at = 0
        self._engine: Engine = make_engine(settings, directory, keys)
        self._can_encrypt = keys is not None
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._newest: asyncio.Future[Receipt] | None = None
        self._closing = False
        self._received_us = 0
        self._task: asyncio.Task[None] | None = None
        self._window = Window(round(self._limits.oldest * 1e6), round(self._limits.newest * 1e6))
        self._days = StoredDays()
        self.contact = LastContact()

    @property
    def started(self) -> bool:
        """Whether readings are taken."""
        return self._task is not None and not self._closing

    async def start(self) -> None:
        """Build the engine's state from the database and begin to take readings."""
        self._built_at = self._lane.taken
        await self._engine.load(self._pool, self._clock())
        self._task = asyncio.create_task(self._run(), name="batcher")

    def check_room(self) -> None:
        """Raise what `submit` would raise for any request, before work is spent on it."""
        if self._closing or self._task is None:
            raise Unavailable(_CLOSING if self._closing else "the platform is starting")
        if not self._lane.held:
            raise Unavailable("the platform has lost its database; send again later")
        waits_too_many = len(self._waiting) >= self._limits.queue_requests
        if waits_too_many or self._rows >= self._limits.queue_rows:
            raise Overloaded("the queue of readings is full; send again later")

    def submit(self, submission: Submission) -> "asyncio.Future[Receipt]":
        """Queue one request; the future's receipt comes after commit.

        Raises Overloaded when the queue is full, and Unavailable when it is closing. The future
        fails with Unavailable when the database did not take the batch.
        """
        self.check_room()
        if self._rows and self._rows + len(submission) > self._limits.queue_rows:
            raise Overloaded("the queue of readings is full; send again later")
        loop = asyncio.get_running_loop()
        self._newest = future = loop.create_future()
        self._waiting.append(_Waiting(submission, future, loop.time()))
        self._rows += len(submission)
        self._metrics.queue(self._rows)
        self._arrived.set()
        if self._rows >= self._limits.max_rows:
            self._full.set()
        return future

    async def settle(self) -> None:
        """Return when every request queued before this call has been answered."""
        if self._newest is not None:
            await asyncio.wait([self._newest])

    async def close(self) -> None:
        """Store what has been taken, within `shutdown_timeout`, and refuse the rest."""
        self._closing = True
        self._arrived.set()
        self._full.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self._limits.shutdown_timeout)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._refuse(list(self._waiting), _CLOSING)
        self._waiting.clear()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._waiting:
                if self._closing:
                    await self._checkpoint()
                    return
                self._arrived.clear()
                continue
            await self._fill()
            batch = self._take()
            try:
                await self._store(batch)
            except asyncio.CancelledError:
                self._refuse(batch, _CLOSING)
                raise
            except Exception as error:  # the loop must outlive whatever a batch brings
                _log.error("batch not stored", error=repr(error), requests=len(batch))
                self._refuse(batch, _NOT_TAKEN)
                await asyncio.sleep(RECOVERY_PAUSE_S)

    async def _fill(self) -> None:
        """Wait until the micro-batch is full or its first reading has waited long enough."""
        now_s = asyncio.get_running_loop().time()
        rest_s = self._waiting[0].since_s + self._limits.max_wait - now_s
        if rest_s <= 0 or self._rows >= self._limits.max_rows or self._closing:
            return
        self._full.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest_s):
                await self._full.wait()

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        rows = 0
        while self._waiting and (not batch or rows < self._limits.max_rows):
            batch.append(self._waiting.popleft())
            rows += len(batch[-1].submission)
        return batch

    async def _store(self, batch: list[_Waiting]) -> None:
        began_s = time.perf_counter()
        # State is built from a day of rows: within the time of a batch it might never be done.
        async with asyncio.timeout(self._limits.load_timeout):
            await self._advance_clock()
            await self._engine.restore(self._pool, self._received_us)
        # Building may have taken long, and who follows readings waits no longer than for a commit.
        self._received_us = max(self._received_us, self._clock())
        async with asyncio.timeout(self._limits.commit_timeout):
            arrivals = gather([one.submission for one in batch], self._received_us)
            codes = judge(
                arrivals, self._directory, self._window, can_encrypt=self._can_encrypt
            )
            accepted = np.flatnonzero(codes == Rejection.ACCEPTED)
            duplicate = np.zeros(0, dtype=np.bool_)
            if len(accepted):
                duplicate = await self._store_accepted(arrivals, accepted, began_s)
        self._answer(batch, arrivals, codes, accepted, duplicate)

    async def _advance_clock(self) -> None:
        """The batch's time: never one twice, for checkpoints order rows by it."""
        now_us = self._clock()
        taken = self._lane.taken
        if now_us < self._received_us - REWIND_US or taken != self._built_at:
            await self._engine.load(self._pool, now_us)
            self._received_us, self._built_at = now_us, taken
        self._received_us = max(now_us, self._received_us + 1)

    async def _store_accepted(
        self, arrivals: Arrivals, accepted: NDArray[np.intp], began_s: float
    ) -> NDArray[np.bool_]:
        """Commit the accepted readings; which of them were stored before."""
        directory = self._directory
        behind = directory.sensor_device[arrivals.sensor[accepted]]
        await self._days.note(
            self._pool,
            directory.organizations,
            directory.device_organization[behind],
            arrivals.t_us[accepted],
        )
        stored = await self._engine.store(self._pool, arrivals, accepted)
        duplicates = int(stored.duplicate.sum())
        self._metrics.batch_stored(
            len(accepted) - duplicates,
            duplicates,
            stored.conflicts,
            stored.alerts_raised,
            stored.alerts_cleared,
            time.perf_counter() - began_s,
        )
        self._metrics.values_processed(stored.processed.values, stored.processed.undefined)
        self.contact.note(arrivals.device[accepted], arrivals.received_us)
        self.contact.note(behind, arrivals.received_us)
        return stored.duplicate

    def _answer(
        self,
        batch: list[_Waiting],
        arrivals: Arrivals,
        codes: NDArray[np.int8],
        accepted: NDArray[np.intp],
        duplicate: NDArray[np.bool_],
    ) -> None:
        taken = np.bincount(arrivals.request[accepted], minlength=len(batch))
        doubled = np.bincount(arrivals.request[accepted[duplicate]], minlength=len(batch))
        rejected = self._rejections(arrivals, codes)
        for index, (submission, future, _) in enumerate(batch):
            self._rows -= len(submission)
            total, listed = rejected.get(index, (0, ()))
            receipt = Receipt(
                accepted=int(taken[index] - doubled[index]),
                duplicates=int(doubled[index]),
                rejected_total=total,
                rejected=listed,
            )
            if not future.done():
                future.set_result(receipt)
        self._metrics.queue(self._rows)

    def _rejections(
        self, arrivals: Arrivals, codes: NDArray[np.int8]
    ) -> dict[int, tuple[int, tuple[RejectedReading, ...]]]:
        """Of each request with rejections: how many, and the first hundred by name."""
        refused = np.flatnonzero(codes)
        if not len(refused):
            return {}
        for code, count in zip(*np.unique(codes[refused], return_counts=True), strict=True):
            self._metrics.readings_refused(Rejection(int(code)).code, int(count))
        requests, first, counts = np.unique(
            arrivals.request[refused], return_index=True, return_counts=True
        )
        starts = np.searchsorted(arrivals.request, requests)
        out = {}
        for request, at, count, start in zip(
            requests.tolist(), first.tolist(), counts.tolist(), starts.tolist(), strict=True
        ):
            listed = refused[at : at + min(count, REJECTED_LISTED_MAX)]
            out[request] = (count, tuple(_rejected(int(i) - start, codes[i]) for i in listed))
        return out

    def _refuse(self, batch: list[_Waiting], why: str) -> None:
        for submission, future, _ in batch:
            self._rows -= len(submission)
            _fail(future, Unavailable(why))
        self._metrics.queue(self._rows)

    async def _checkpoint(self) -> None:
        try:
            await self._engine.checkpoint(self._pool)
        except Exception as error:  # rows are stored; the state is rebuilt from them
            _log.warning("no checkpoint at shutdown", error=repr(error))


def _rejected(index: int, code: np.int8) -> RejectedReading:
    rejection = Rejection(int(code))
    return RejectedReading(index=index, code=rejection.code, detail=DETAILS[rejection])


def _fail(future: "asyncio.Future[Receipt]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
