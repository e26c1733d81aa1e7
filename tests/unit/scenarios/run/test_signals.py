"""Ctrl-C: the first one ends the work in order."""

import asyncio
import os
import signal

import pytest

from fleetstorm.errors import Interrupted
from fleetstorm.run.signals import run_interruptible, to_the_end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_work_that_tidies_up_gives_what_it_has(number: signal.Signals) -> None:
    heard: list[str] = []

    async def work() -> str:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for _ in range(3):  # more of them change nothing
                os.kill(os.getpid(), number)
                await asyncio.sleep(0)
        return "what there is"

    assert run_interruptible(work(), lambda: heard.append("told")) == "what there is"
    assert heard == ["told"]


def test_work_that_does_not_is_interrupted() -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    with pytest.raises(Interrupted):
        run_interruptible(work())


def test_the_handlers_of_before_are_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    run_interruptible(asyncio.sleep(0))
    assert signal.getsignal(signal.SIGINT) == before


def test_work_that_must_not_be_cut_short_is_not() -> None:
    async def tidy() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
        done.append("tidy")

    async def work() -> bool:
        return await to_the_end(tidy())

    done: list[str] = []
    assert run_interruptible(work())
    assert done == ["tidy"]
