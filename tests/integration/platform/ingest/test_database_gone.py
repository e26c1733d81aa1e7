"""PostgreSQL dies and comes back; the service lives on, nothing is lost and nothing doubled."""

import asyncio
import json
import time

import asyncpg
import numpy as np
import pytest

from fleetplatform.client import ApiError, Client
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE, encode_arrow
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.devices import NewDevice
from fleetsim.transport.http import HttpClient, head, request
from fleetstorm.stack.postgres import start_postgres
from fleetstorm.stack.supervisor import Supervisor

GATEWAYS, BEHIND, BODY = 4, 50, 500


@pytest.fixture
async def own_postgres(session_folder):
    """A server of the test's own, for it is going to be killed."""
    folder = session_folder / f"killed-{time.monotonic_ns()}"
    folder.mkdir(mode=0o711)
    async with Supervisor() as supervisor:
        yield await start_postgres(supervisor, folder)


async def test_sigkill_of_postgresql_under_load(
    own_postgres, service_of, specification, eventually
):
    service = await (await service_of(own_postgres.url(), checkpoint_interval=0.2)).start()
    async with service.operator() as operator:
        for name in ("thermometer", "gateway"):
            await operator.put_device_type(specification(name))
    devices = [NewDevice(serial_number=f"g{g}", device_type="gateway") for g in range(GATEWAYS)]
    devices += [
        NewDevice(serial_number=f"d{g}-{n}", device_type="thermometer", gateway=f"g{g}")
        for g in range(GATEWAYS)
        for n in range(BEHIND)
    ]
    tenant = await service.tenant(*devices)
    async with Client(service.url, tenant.api_key) as api:
        await api.create_alert_rule(NewAlertRule(name="hot", conditions={"threshold_high": 900.0}))
    senders = [Sender(service, tenant, g) for g in range(GATEWAYS)]
    tasks = [asyncio.create_task(sender.run()) for sender in senders]
    for _ in range(2):
        await eventually(lambda: all(sender.acknowledged_since_kill >= 4 for sender in senders))
        await own_postgres.part.kill()
        for sender in senders:
            sender.acknowledged_since_kill = 0
    await eventually(lambda: all(sender.acknowledged_since_kill >= 4 for sender in senders))
    for sender in senders:
        sender.stop = True
    await asyncio.gather(*tasks)
    assert sum(sender.refused for sender in senders) > 0

    async def is_ready() -> bool:
        return await service.status("/readyz") == 200

    await eventually(is_ready)
    await check(own_postgres, senders, tenant)
    await still_listens(service, tenant)
    assert service.process is not None
    assert service.process.returncode is None
    assert await service.terminate() == 0
    assert "Traceback" not in service.log


class Sender:
    """A gateway: sends a body until it is acknowledged, then the next one."""

    def __init__(self, service, tenant, gateway: int) -> None:
        self._client = HttpClient(service.url, lanes=1, timeout_s=30)
        self._head = head(
            self._client, "/v1/readings", tenant.token(f"g{gateway}"), ARROW_MEDIA_TYPE
        )
        ids = [tenant.sensor(f"d{gateway}-{n}").int for n in range(BEHIND)]
        which = np.arange(BODY) % BEHIND
        self._high = np.array([i >> 64 for i in ids], dtype=np.uint64)[which]
        self._low = np.array([i & (2**64 - 1) for i in ids], dtype=np.uint64)[which]
        self._start_us = wall_now_us() - 3_600_000_000
        self.bodies = 0
        self.refused = 0
        self.acknowledged_since_kill = 0
        self.stop = False

    def readings(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Times and values of a body; every tenth body is hot."""
        step = number * (BODY // BEHIND) + np.arange(BODY) // BEHIND
        value = 15 + step % 7 + np.arange(BODY) % BEHIND / 100
        return self._start_us + step * 1000, value + 1000 * (number % 10 == 9)

    async def run(self) -> None:
        while not self.stop:
            t_us, value = self.readings(self.bodies)
            body = request(self._head, encode_arrow(self._high, self._low, t_us, value))
            while True:
                await self._client.ready(0)
                reply = await self._client.exchange(0, body)
                if reply.status == 200:
                    break
                assert reply.status == 503, reply
                self.refused += 1
                await asyncio.sleep(0.05)
            receipt = json.loads(reply.body)
            assert receipt["accepted"] + receipt["duplicates"] == BODY
            self.bodies += 1
            self.acknowledged_since_kill += 1
        self._client.close()


async def check(postgres, senders: list[Sender], tenant) -> None:
    """Every reading is there once with its value, and alerts are as the values say."""
    conn = await asyncpg.connect(postgres.url("fleetstorm"))
    try:
        for gateway, sender in enumerate(senders):
            ids = [tenant.sensor(f"d{gateway}-{n}") for n in range(BEHIND)]
            rows = await conn.fetch(
                "select sensor_id, measurement_value as v,"
                " (extract(epoch from measurement_timestamp) * 1000000)::bigint as t"
                " from iot.sensor_data where sensor_id = any ($1)",
                ids,
            )
            found = sorted((row["t"], ids.index(row["sensor_id"]), row["v"]) for row in rows)
            sent = []
            for number in range(sender.bodies):
                t_us, value = sender.readings(number)
                which = (np.arange(BODY) % BEHIND).tolist()
                sent += zip(t_us.tolist(), which, value.tolist(), strict=True)
            assert found == sorted(sent)
            alerts = await conn.fetchval(
                "select count(*) from iot.alerts where sensor_id = any ($1)", ids
            )
            assert alerts == BEHIND * (sender.bodies // 10)
        events = await conn.fetch("select event, count(*) as n from iot.alert_events group by 1")
        count = {row["event"]: row["n"] for row in events}
        alerts = await conn.fetch(
            "select alert_status, count(*) as n from iot.alerts group by 1"
        )
        by_status = {row["alert_status"]: row["n"] for row in alerts}
        assert count["raised"] == sum(by_status.values())
        assert count.get("resolved", 0) == by_status.get("resolved", 0)
    finally:
        await conn.close()


async def still_listens(service, tenant) -> None:
    """News of the registry comes by LISTEN again: a rule made now judges the next readings."""
    async with Client(service.url, tenant.api_key) as api:
        await api.create_alert_rule(NewAlertRule(name="cold", conditions={"threshold_low": -900.0}))
        await service.enrol(tenant, NewDevice(serial_number="new", device_type="thermometer"))
        async with asyncio.timeout(15):
            for number in range(10_000):
                body = [
                    {"sensor": "temperature", "t": wall_now_us(), "v": -1000 * (number % 2)}
                ]
                answer = await service.post(tenant.token("new"), body)
                assert answer.status == 200
                if (await api.alerts(limit=1)).alerts[0].trigger_value == -1000:
                    return


async def test_without_a_database_the_service_says_so(own_postgres, service_of, specification):
    service = await (await service_of(own_postgres.url())).start()
    async with service.operator() as operator:
        await operator.put_device_type(specification("thermometer"))
    tenant = await service.tenant(NewDevice(serial_number="t1", device_type="thermometer"))
    await own_postgres.stop()
    body = [{"sensor": "temperature", "t": wall_now_us(), "v": 1}]
    known = await service.post(tenant.token("t1"), body)
    assert (known.status, known.body["code"]) == (503, "unavailable")
    unknown = await service.post("no-such-token", body)
    assert (unknown.status, unknown.body["code"]) == (503, "unavailable")
    assert await service.status("/readyz") == 503
    assert await service.status("/healthz") == 200
    with pytest.raises(ApiError) as caught:
        await Client(service.url, tenant.api_key).alerts()
    assert (caught.value.status, caught.value.code) == (503, "unavailable")
    assert await service.terminate() == 0
    assert "Traceback" not in service.log
