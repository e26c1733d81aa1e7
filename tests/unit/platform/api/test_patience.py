"""A reader that takes nothing is let go; one that is slow is not."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fleetplatform.api.live import Patience

STALLED_S = 0.05


def scope() -> Any:
    settings = SimpleNamespace(stalled=STALLED_S)
    context = SimpleNamespace(streams=SimpleNamespace(settings=settings))
    app = SimpleNamespace(state=SimpleNamespace(context=context))
    return {"litestar_app": app, "path": "/v1/readings/live"}


async def test_whoever_takes_nothing_is_let_go_and_the_stream_ends():
    ended = asyncio.Event()

    async def streaming(_: Any, __: Any, send: Any) -> None:
        async def stream() -> None:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})

        try:
            await asyncio.create_task(stream())
        finally:
            ended.set()

    async def never(_: Any) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        await Patience(streaming)(scope(), None, never)
    assert ended.is_set()


async def test_a_request_that_is_cancelled_by_somebody_else_stays_so():
    async def waiting(_: Any, __: Any, ___: Any) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(Patience(waiting)(scope(), None, None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_whoever_takes_something_in_time_gets_all_of_it():
    sent = []

    async def three(_: Any, __: Any, send: Any) -> None:
        for number in range(3):
            await send({"type": "http.response.body", "body": b"%d" % number})

    async def slow(message: Any) -> None:
        await asyncio.sleep(STALLED_S / 5)
        sent.append(message["body"])

    await Patience(three)(scope(), None, slow)
    assert sent == [b"0", b"1", b"2"]
