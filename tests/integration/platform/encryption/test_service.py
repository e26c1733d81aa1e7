"""Sensitive sensors as a user meets them: who reads them, and where nobody can."""

import asyncio
import hashlib
import secrets
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from fleetplatform.client import Client
from fleetplatform.settings import EncryptionKeys
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.devices import NewDevice

SECRET = 41.732951
DOOR = NewDevice(serial_number="door", device_type="door")
NOW_US = 1_780_272_000_000_000


@pytest.fixture(scope="session")
def door(specification: Any) -> Any:
    """A door sensor whose presence may have any value."""
    shipped = specification("door_sensor")
    present = msgspec.structs.replace(shipped.sensors["open"], max=100.0, resolution=0.0)
    assert present.sensitive
    sensors = shipped.sensors | {"open": present}
    return msgspec.structs.replace(shipped, name="door", version="test", sensors=sensors)


async def _tenant(service: Any, door: Any) -> Any:
    async with service.operator() as operator:
        await operator.put_device_type(door)
    return await service.tenant(DOOR)


async def _read(service: Any, token: str, sensor: Any, query: str = "") -> Any:
    path = f"/v1/sensors/{sensor}/sensitive-readings{query}"
    return await service.request("GET", path, {"Authorization": f"Bearer {token}"}, b"")


async def _now_us(service: Any) -> int:
    async with service.operator() as operator:
        return (await operator.clock()).law.now_us()


async def _post(service: Any, tenant: Any, t_us: int, value: float, **more: Any) -> Any:
    reading = {"sensor": "open", "t": t_us, "v": value, **more}
    plain = {"sensor": "passages", "t": t_us, "v": 3}
    return (await service.post(tenant.token("door"), [reading, plain])).body


async def _key(rows: asyncpg.Connection, tenant: Any, role: str) -> str:
    token = secrets.token_urlsafe(32)
    await rows.execute(
        "insert into iot.api_keys (organization_id, token_sha256, role) values ($1, $2, $3)",
        tenant.organization_id, hashlib.sha256(token.encode()).digest(), role,
    )  # fmt: skip
    return token


async def test_an_administrator_reads_and_nobody_else(
    platform: Any, platform_rows: asyncpg.Connection, door: Any
) -> None:
    tenant, stranger = await _tenant(platform, door), await platform.tenant()
    sensor, now = tenant.sensor("door"), await _now_us(platform)
    for k in range(3):
        found = await _post(platform, tenant, now + k, SECRET + k, m={"who": "n.n."})
        assert found["accepted"] == 2
    answer = await _read(platform, tenant.api_key, sensor, f"?from_us={now + 1}&limit=1")
    (reading,) = answer.body["readings"]
    assert reading.pop("received_us") > 0
    assert reading == {
        "t_us": now + 1, "value": SECRET + 1, "sent": SECRET + 1, "data_quality": 0,
        "m": {"who": "n.n."},
    }  # fmt: skip
    both = await _read(platform, tenant.api_key, sensor, f"?from_us={now}&to_us={now + 2}")
    assert [one["value"] for one in both.body["readings"]] == [SECRET, SECRET + 1]
    for token, status, code in [
        (await _key(platform_rows, tenant, "viewer"), 403, "forbidden"),
        (await _key(platform_rows, tenant, "operator"), 403, "forbidden"),
        (stranger.api_key, 404, "not_found"),
        (tenant.token("door"), 401, "unauthorized"),
    ]:
        refused = await _read(platform, token, sensor)
        assert (refused.status, refused.body["code"]) == (status, code)
    for query in ("?limit=0", "?limit=10001", "?from_us=-1", "?to_us=99999999999999999"):
        assert (await _read(platform, tenant.api_key, sensor, query)).status == 422
    other = await _read(platform, tenant.api_key, tenant.sensor("door", 1))
    assert other.body == {"readings": []}
    assert "sensitive readings read" in platform.log


async def test_sensitive_readings_are_not_followed(platform: Any, door: Any) -> None:
    tenant, now = await _tenant(platform, door), await _now_us(platform)
    bearer = {"Authorization": f"Bearer {tenant.api_key}"}
    path = "/v1/readings/live"
    start = (await platform.request("GET", path, bearer, b"")).body["next"]
    assert (await _post(platform, tenant, now, SECRET))["accepted"] == 2
    followed = await platform.request("GET", f"{path}?after={start}", bearer, b"")
    assert [one["value"] for one in followed.body["readings"]] == [3.0]
    asked = f"{path}?sensor_id={tenant.sensor('door')}"
    refused = await platform.request("GET", asked, bearer, b"")
    assert (refused.status, refused.body["code"]) == (403, "sensitive_sensor")


async def test_a_reading_that_was_changed_is_a_conflict(
    platform: Any, platform_rows: asyncpg.Connection, door: Any
) -> None:
    tenant = await _tenant(platform, door)
    await _post(platform, tenant, await _now_us(platform), SECRET)
    await platform_rows.execute(
        "update iot.sensor_data set value_encrypted = set_byte(value_encrypted, 40,"
        " get_byte(value_encrypted, 40) # 1) where sensor_id = $1",
        tenant.sensor("door"),
    )
    answer = await _read(platform, tenant.api_key, tenant.sensor("door"))
    assert (answer.status, answer.body["code"]) == (409, "unreadable")
    assert 'with the key "k1"' in answer.body["detail"]


async def test_alerts_of_a_sensitive_sensor_carry_no_value(
    platform: Any, platform_rows: asyncpg.Connection, door: Any
) -> None:
    tenant = await _tenant(platform, door)
    rule = NewAlertRule(
        name="in", conditions={"threshold_high": 40.0}, severity="info", sensor_type="occupancy"
    )
    async with Client(platform.url, tenant.api_key) as member:
        await member.create_alert_rule(rule)
        now = await _now_us(platform)
        async with asyncio.timeout(20):
            while not (alerts := (await member.alerts()).alerts):
                await _post(platform, tenant, now, 1.0)
                await _post(platform, tenant, now + 1, SECRET)
                now += 2
    assert [alert.trigger_value for alert in alerts] == [None]
    rows = await platform_rows.fetch(
        "select a::text, e::text from iot.alerts as a join iot.alert_events as e"
        " using (organization_id, alert_id) where a.organization_id = $1",
        tenant.organization_id,
    )
    assert rows
    assert not [row for row in rows if "41.7" in f"{row[0]}{row[1]}"]


async def test_without_keys_readings_are_rejected_by_name_and_cannot_be_read(
    start_service: Any, owner_of: Any, door: Any
) -> None:
    service = await start_service(encryption=None)
    tenant = await _tenant(service, door)
    found = await _post(service, tenant, await _now_us(service), SECRET)
    assert (found["accepted"], found["rejected_total"]) == (1, 1)
    assert (found["rejected"][0]["index"], found["rejected"][0]["code"]) == (0, "no_key")
    owner = await owner_of(service)
    stored = await owner.fetch("select measurement_value from iot.sensor_data")
    assert [row[0] for row in stored] == [3]
    answer = await _read(service, tenant.api_key, tenant.sensor("door"))
    assert (answer.status, answer.body["code"]) == (409, "no_key")


LOG_EVERYTHING = (
    "log_statement = 'all'", "log_min_duration_statement = 0", "log_parameter_max_length = -1",
    "log_parameter_max_length_on_error = -1",
)  # fmt: skip


@pytest.mark.campaign
async def test_the_worker_rotates_and_a_server_that_logs_everything_logs_no_key(
    database_url: str, service_of: Any, owner_of: Any, door: Any, eventually: Any, postgres: Any
) -> None:
    conn = await asyncpg.connect(database_url)
    for setting in LOG_EVERYTHING:
        await conn.execute(f"alter database {urlsplit(database_url).path[1:]} set {setting}")
    await conn.close()
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    first = EncryptionKeys(active="k1", keys={"k1": old})
    service = await (await service_of(database_url, encryption=first)).start()
    tenant = await _tenant(service, door)
    now = await _now_us(service)
    await _post(service, tenant, now, SECRET)
    assert await service.terminate() == 0
    both = EncryptionKeys(active="k2", keys={"k1": old, "k2": new})
    service = await (await service_of(database_url, encryption=both)).start()
    for value in (SECRET, SECRET + 1):
        assert (await _post(service, tenant, now + 1, value))["accepted"] <= 2
    owner = await owner_of(service)
    ids = "select bool_and(substring(value_encrypted from 3 for 2) = 'k2') from iot.sensor_data"
    await eventually(lambda: owner.fetchval(ids))
    answer = await _read(service, tenant.api_key, tenant.sensor("door"))
    assert [one["value"] for one in answer.body["readings"]] == [SECRET] * 2
    assert await service.terminate() == 0
    assert "may log bind parameters" not in service.log
    await owner.fetchval("select $1::text", "this-is-logged")
    log = postgres.part.process.log_path.read_bytes().decode()
    called = ("store_sensitive", "compare_sensitive", "rotate_keys", "decrypt_sensor_value")
    assert [name for name in (*called, "this-is-logged") if name not in log] == []
    plain = (old.hex(), new.hex(), repr(old)[2:-1], repr(new)[2:-1], "41.732951", "42.732951")
    assert [text for text in plain if text in log or text in service.log] == []
