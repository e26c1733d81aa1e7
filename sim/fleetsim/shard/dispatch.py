"""Who sends when: waiting readings of many senders over a few lanes, in order for each sender."""

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.receipts import Receipt
from fleetsim.devices.buffer import Buffer
from fleetsim.transport.kinds import Transport
from fleetsim.transport.outcome import REJECTIONS_LISTED_MAX, Again, Outcome, Refused, Taken
from fleetsim.transport.report import Piece, count
from fleetsim.transport.retry import Backoff

_TICK_S = 0.02
"""How finely pauses between attempts are kept."""


class Settled(NamedTuple):
    """A request with its final outcome; times on the wall clock in µs.

    first_sent_us: when its oldest reading was first sent · answered_us: when the answer came ·
    unanswered: how many of its oldest readings were in an earlier try whose answer never came, so
    that they may be stored even if this one was rejected.
    """

    pieces: list[Piece]
    outcome: Taken | Refused
    first_sent_us: int
    answered_us: int
    unanswered: int


class Sender:
    """One device or gateway: idle → ready → sending → idle, or pausing → ready after a failure."""

    __slots__ = (
        "attempt", "body_max", "buffer", "busy", "first_sent_us", "index", "unanswered", "uncertain"
    )  # fmt: skip

    def __init__(self, index: int, buffer: Buffer, body_max: int) -> None:
        self.index = index
        self.buffer = buffer
        self.body_max = body_max
        self.busy = False
        self.attempt = 0
        self.first_sent_us = 0
        self.uncertain = 0  # how many of the readings held may be stored already
        self.unanswered = 0  # of these, how many because an answer never came


class Dispatcher:
    """start → offer(sender, piece) … → stop. One task a lane, none a sender.

    At most one request of a sender is under way, so its readings arrive in order; what comes in
    meanwhile joins the next body. `collect` gives what has been answered. `requests` counts every
    attempt, `senders_waiting` the senders that hold readings not yet answered for, `refused` by
    sender the requests that were told to come again without being stored.
    """

    def __init__(
        self,
        transport: Transport,
        backoff: Backoff,
        *,
        senders: int,
        buffer_readings: int,
        body_readings: int,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.requests = 0
        self.senders_waiting = 0
        self.refused: Counter[int] = Counter()
        self._transport = transport
        self._backoff = backoff
        self._body_readings = body_readings
        self._on_failure = on_failure
        self._senders = [Sender(i, Buffer(buffer_readings), body_readings) for i in range(senders)]
        self._ready: deque[Sender] = deque()
        self._pausing: list[tuple[float, int]] = []
        self._idle_lanes: list[asyncio.Future[None]] = []
        self._settled: list[Settled] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Let the lanes work."""
        lanes = [self._work(lane) for lane in range(self._transport.lanes)]
        for work in [*lanes, self._wake()]:
            task = self._loop.create_task(work)
            task.add_done_callback(self._check)
            self._tasks.append(task)

    def offer(self, index: int, piece: Piece) -> list[Piece]:
        """Readings of a sender to be sent; returns what its buffer dropped for them."""
        sender = self._senders[index]
        dropped = sender.buffer.put(piece)
        if not sender.busy:
            sender.busy = True
            self.senders_waiting += 1
            self._make_ready(sender)
        return dropped

    def collect(self) -> list[Settled]:
        """What has been answered since the last call; a sender's requests are in order."""
        settled, self._settled = self._settled, []
        return settled

    async def stop(self) -> None:
        """End all lanes; requests under way are given up, their readings uncertain."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._transport.close()

    def remains(self) -> tuple[list[Piece], list[Piece]]:
        """After `stop`: readings that may or may not be stored, and readings never taken."""
        uncertain: list[Piece] = []
        buffered: list[Piece] = []
        for sender in self._senders:
            buffer = sender.buffer
            if buffer.size:
                buffer.give_back(keep=sender.uncertain)
                uncertain += buffer.held
                buffered += buffer.waiting
        return uncertain, buffered

    def _make_ready(self, sender: Sender) -> None:
        self._ready.append(sender)
        while self._idle_lanes:
            # The lane that worked last: few connections stay warm, the others stay quiet.
            lane = self._idle_lanes.pop()
            if not lane.done():
                lane.set_result(None)
                return

    async def _work(self, lane: int) -> None:
        """One lane: the next sender that is ready, again and again."""
        transport, ready = self._transport, self._ready
        while True:
            while not ready:
                idle = self._loop.create_future()
                self._idle_lanes.append(idle)
                await idle
            # A sender is taken only by a lane that can carry it: while the backend is gone the
            # readings stay in their buffers, where newer ones may push out the oldest.
            await transport.ready(lane)
            if ready:
                await self._send(lane, ready.popleft())

    async def _send(self, lane: int, sender: Sender) -> None:
        pieces = sender.buffer.hold(sender.body_max)
        size = count(pieces)
        if not sender.first_sent_us:
            sender.first_sent_us = wall_now_us()
        self.requests += 1
        uncertain_before = sender.uncertain
        # Should this task be cancelled while it waits, all that was sent is uncertain.
        sender.uncertain = max(uncertain_before, size)
        outcome = _believe(await self._transport.send(lane, sender.index, pieces), size)
        if isinstance(outcome, Again):
            if outcome.uncertain:
                sender.unanswered = max(sender.unanswered, size)
            else:
                sender.uncertain = uncertain_before
                self.refused[sender.index] += 1
            self._try_again(sender, outcome)
        elif _is_cut_short(outcome, size):
            # More was rejected than the receipt names. Sent again in bodies so small that every
            # rejection is named, the readings taken already come back as duplicates.
            sender.body_max = REJECTIONS_LISTED_MAX
            self._ready.append(sender)
        else:
            self._settle(sender, size, outcome)

    def _settle(self, sender: Sender, size: int, outcome: Taken | Refused) -> None:
        pieces = sender.buffer.settle(size)
        unanswered = min(size, sender.unanswered)
        self._settled.append(
            Settled(pieces, outcome, sender.first_sent_us, wall_now_us(), unanswered)
        )
        sender.first_sent_us = sender.attempt = 0
        sender.uncertain = max(0, sender.uncertain - size)
        sender.unanswered -= unanswered
        if not sender.uncertain:
            sender.body_max = self._body_readings
        if sender.buffer.size:
            self._ready.append(sender)
        else:
            sender.busy = False
            self.senders_waiting -= 1

    def _try_again(self, sender: Sender, outcome: Again) -> None:
        sender.buffer.give_back(keep=sender.uncertain)
        if outcome.at_once and sender.attempt == 0:
            sender.attempt = 1
            self._ready.appendleft(sender)
            return
        pause_s = self._backoff.pause_s(sender.attempt, outcome.retry_after_s)
        sender.attempt += 1
        heapq.heappush(self._pausing, (self._loop.time() + pause_s, sender.index))

    async def _wake(self) -> None:
        """Bring back senders whose pause is over."""
        while True:
            await asyncio.sleep(_TICK_S)
            now_s = self._loop.time()
            while self._pausing and self._pausing[0][0] <= now_s:
                self._make_ready(self._senders[heapq.heappop(self._pausing)[1]])

    def _check(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)


def _believe(outcome: Outcome, size: int) -> Outcome:
    """The outcome, unless it is a receipt that cannot be for these readings: no answer then."""
    if isinstance(outcome, Taken) and not _fits(outcome.receipt, size):
        return Again(uncertain=True)
    return outcome


def _fits(receipt: Receipt, size: int) -> bool:
    """Whether a receipt can be the answer to a body of that many readings."""
    total, rejected = receipt.rejected_total, receipt.rejected
    taken = receipt.accepted + receipt.duplicates
    if taken + total != size or min(receipt.accepted, receipt.duplicates, total) < 0:
        return False
    indexes = {reading.index for reading in rejected if 0 <= reading.index < size}
    if not len(indexes) == len(rejected) <= total:
        return False
    return len(rejected) in (total, REJECTIONS_LISTED_MAX) or taken == 0


def _is_cut_short(outcome: Outcome, size: int) -> bool:
    """Whether a receipt leaves open which readings of a larger body were rejected."""
    if not isinstance(outcome, Taken) or size <= REJECTIONS_LISTED_MAX:
        return False
    receipt = outcome.receipt
    taken = receipt.accepted + receipt.duplicates
    return taken > 0 and receipt.rejected_total > len(receipt.rejected)
