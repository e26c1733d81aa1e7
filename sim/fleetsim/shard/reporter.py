"""The reporting loop: slot by slot, what is due leaves at its intended time."""

import asyncio
from itertools import pairwise

from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.load.schedule import Due
from fleetsim.shard.books import Books
from fleetsim.shard.cut import Senders
from fleetsim.shard.dispatch import Dispatcher
from fleetsim.shard.pace import Pace, Slot
from fleetsim.shard.sensing import Measured, Sensing, some


class Reporter:
    """run() as a task: waits for a limit, plays up to it, waits … until finish().

    `reached_us` is the virtual time up to which all readings due are made or being handed over.
    """

    def __init__(
        self, pace: Pace, sensing: Sensing, senders: Senders, dispatcher: Dispatcher, books: Books
    ) -> None:
        self.reached_us = pace.played_us
        self._pace = pace
        self._sensing = sensing
        self._senders = senders
        self._dispatcher = dispatcher
        self._books = books
        self._limit_us = pace.played_us
        self._ending = False
        self._extended = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._hurry = asyncio.Event()

    @property
    def law(self) -> ClockLaw:
        """The law of the clock that the slots follow."""
        return self._pace.law

    def extend(self, until_us: int, law: ClockLaw) -> None:
        """Let the loop play up to a virtual time."""
        self._pace.law = law
        self._limit_us = max(self._limit_us, until_us)
        self._extended.set()

    async def reached(self, until_us: int) -> None:
        """Return when all slots up to a virtual time have come, or none will come any more."""
        if self.reached_us < until_us and not self._ending:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((until_us, future))
            await future

    def finish(self, *, hurry: bool) -> None:
        """End the loop after the slot that is being played: at once, or at its pace."""
        self._ending = True
        self._extended.set()
        self._tell()
        if hurry:
            self._hurry.set()

    async def run(self) -> None:
        """Play until `finish`."""
        while not self._ending:
            slot = self._pace.next(self._limit_us, wall_now_us())
            if slot is None:
                self._extended.clear()
                await self._extended.wait()
            else:
                await self._play(slot)

    async def _play(self, slot: Slot) -> None:
        await self._wait_until(slot.intended_us)
        if self._hurry.is_set() and wall_now_us() < slot.intended_us:
            # Told to end before its time has come: nothing of this slot is measured.
            return
        for past in self._sensing.delivered(slot.from_us, slot.until_us):
            self._send(past, slot.intended_us)
        due = self._sensing.due(slot.from_us, slot.until_us)
        self.reached_us = slot.until_us
        self._tell()
        cuts = due.sensor.searchsorted(self._senders.groups).tolist()
        groups = len(cuts) - 1
        for group, (start, stop) in enumerate(pairwise(cuts)):
            if stop > start:
                intended_us = slot.intended_us + slot.interval_us * group // groups
                await self._wait_until(intended_us)
                self._report(some(due, slice(start, stop)), intended_us)
            self.settle()

    def _report(self, due: Due, intended_us: int) -> None:
        """Measure what is due and send it."""
        self._send(self._sensing.measure(due), intended_us)

    def _send(self, measured: Measured, intended_us: int) -> None:
        """Give each sender its part."""
        report = self._books.emit(measured, intended_us)
        dropped = []
        for sender, piece in self._senders.pieces(report):
            dropped += self._dispatcher.offer(sender, piece)
        self._books.handed_over(report)
        if dropped:
            self._books.drop(dropped)

    def settle(self) -> None:
        """Enter the answers that have come."""
        self._books.settle(self._dispatcher.collect(), self._pace.law)

    def _tell(self) -> None:
        """Wake those whose time has been reached, or all at the end."""
        waiting, self._waiting = self._waiting, []
        for until_us, future in waiting:
            if not self._ending and self.reached_us < until_us:
                self._waiting.append((until_us, future))
            elif not future.done():
                future.set_result(None)

    async def _wait_until(self, wall_us: int) -> None:
        """Sleep until a time of the wall clock; past times still let the transport work."""
        pause_s = (wall_us - wall_now_us()) / 1e6
        if pause_s <= 0 or self._hurry.is_set():
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(pause_s):
                await self._hurry.wait()
        except TimeoutError:
            return
