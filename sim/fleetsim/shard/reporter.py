"""The reporting loop: slot by slot, what is due leaves at its intended time."""

import asyncio
from itertools import pairwise

from fleetplatform.wire.clock import ClockLaw, wall_now_us
from fleetsim.load.schedule import Due
from fleetsim.shard.books import Books
from fleetsim.shard.cut import Senders
from fleetsim.shard.dispatch import Dispatcher
from fleetsim.shard.pace import Pace, Slot
from fleetsim.shard.sensing import Sensing, some


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
        self._progress = asyncio.Condition()
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
        """Return when all slots up to a virtual time have come."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.reached_us >= until_us)

    def finish(self, *, hurry: bool) -> None:
        """End the loop after the slot that is being played; at once, or at its pace."""
        self._ending = True
        self._extended.set()
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
        due = self._sensing.due(slot.from_us, slot.until_us)
        async with self._progress:
            self.reached_us = slot.until_us
            self._progress.notify_all()
        cuts = due.sensor.searchsorted(self._senders.groups).tolist()
        groups = len(cuts) - 1
        for group, (start, stop) in enumerate(pairwise(cuts)):
            if stop > start:
                intended_us = slot.intended_us + slot.interval_us * group // groups
                await self._wait_until(intended_us)
                self._report(some(due, slice(start, stop)), intended_us)
            self.settle()

    def _report(self, due: Due, intended_us: int) -> None:
        """Measure what is due and give each sender its part."""
        report = self._books.emit(self._sensing.measure(due), intended_us)
        dropped = []
        for sender, piece in self._senders.pieces(report):
            dropped += self._dispatcher.offer(sender, piece)
        self._books.handed_over(report)
        if dropped:
            self._books.drop(dropped)

    def settle(self) -> None:
        """Enter the answers that have come."""
        self._books.settle(self._dispatcher.collect(), self._pace.law)

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
