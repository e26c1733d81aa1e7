"""Ctrl-C: the first one ends the run in order, and so does SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
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


async def to_the_end(work: Awaitable[object]) -> bool:
    """Wait for work that must not be cut short; whether someone tried to meanwhile."""
    task = asyncio.ensure_future(work)
    told = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            told = True
            forget_cancellation()
    task.result()
    return told


def forget_cancellation() -> None:
    """The wish to stop has been heard: what is left to do must not be cancelled by it again."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
