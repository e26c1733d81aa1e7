"""A listener hears every notification at least once, and comes back when its connection is gone."""

import asyncio
import time
from collections.abc import Callable

import asyncpg

from fleetplatform.admin import PreparedDatabase
from fleetplatform.database.wake import Listener


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "the callback was not called in time"
        await asyncio.sleep(0.01)


class Heard:
    """Counts calls; `gate` holds one up."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def __call__(self) -> None:
        self.calls += 1
        await self.gate.wait()
        if self.error is not None:
            error, self.error = self.error, None
            raise error


async def test_it_calls_after_connect_and_after_a_notification(
    prepared: PreparedDatabase, owner: asyncpg.Connection
) -> None:
    heard = Heard()
    listener = Listener(prepared.urls["iot_worker"], "iot_registry", heard)
    await listener.start()
    await _until(lambda: heard.calls == 1)
    await owner.execute("insert into iot.device_types (name, version) values ('t', '1')")
    await _until(lambda: heard.calls == 2)
    await listener.close()


async def test_notifications_during_a_call_make_one_more(
    prepared: PreparedDatabase, owner: asyncpg.Connection
) -> None:
    heard = Heard()
    listener = Listener(prepared.urls["iot_api"], "iot_test", heard)
    await listener.start()
    await _until(lambda: heard.calls == 1)
    heard.gate.clear()
    await owner.execute("notify iot_test")
    await _until(lambda: heard.calls == 2)
    for _ in range(20):
        await owner.execute("notify iot_test")
    await asyncio.sleep(0.1)
    heard.gate.set()
    await _until(lambda: heard.calls == 3)
    await asyncio.sleep(0.1)
    assert heard.calls == 3
    await listener.close()


async def test_it_comes_back_when_its_connection_is_gone(
    prepared: PreparedDatabase, owner: asyncpg.Connection
) -> None:
    heard = Heard()
    listener = Listener(prepared.urls["iot_api"], "iot_test", heard)
    await listener.start()
    await _until(lambda: heard.calls == 1)
    await owner.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'fleetstorm listen iot_test' and datname = current_database()"
    )
    await _until(lambda: heard.calls == 2)
    await owner.execute("notify iot_test")
    await _until(lambda: heard.calls == 3)
    await listener.close()


async def test_a_callback_that_fails_is_called_again(prepared: PreparedDatabase) -> None:
    heard = Heard()
    heard.error = RuntimeError("not now")
    listener = Listener(prepared.urls["iot_api"], "iot_test", heard)
    await listener.start()
    await _until(lambda: heard.calls >= 2)
    await listener.close()
