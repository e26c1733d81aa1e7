"""Ctrl-C: the first one ends the run in order, and so does SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fleetstorm.errors import Interrupted

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_interruptible(
    work: Coroutine[Any, Any, T], on_interrupt: Callable[[], None] = lambda: None
) -> T:
    """Run to the end; the first signal cancels `work`, further ones change nothing.

    What `work` returns after its cancellation is returned; if it does not return, raises
    Interrupted. Its tidying is bounded by timeouts of its own.
    """
    return asyncio.run(_watched(work, on_interrupt))


async def _watched(work: Coroutine[Any, Any, T], on_interrupt: Callable[[], None]) -> T:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    told = False

    def interrupt() -> None:
        nonlocal told
        if not told:
            told = True
            on_interrupt()
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        raise Interrupted() from None
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
