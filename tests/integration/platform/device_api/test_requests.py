"""POST /v1/readings: requests that are refused as a whole, each with a problem document."""

import asyncio
import gzip

import asyncpg
import pyarrow as pa
import pytest
import zstandard

from fleetplatform.settings import PlatformSettings
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.readings import ARROW_MEDIA_TYPE, ARROW_SCHEMA
from fleetplatform.wire.resources.devices import NewDevice

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")


def one(t_us: int, v: float = 1.0) -> list[dict[str, object]]:
    return [{"sensor": "temperature", "t": t_us, "v": v}]


def is_problem(answer, status: int, code: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json", answer
    assert answer.body["title"]
    return (answer.status, answer.body["status"], answer.body["code"]) == (status, status, code)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer not-a-token"},
        {"Authorization": "Bearer " + "x" * 4000},
    ],
)
async def test_without_a_known_token_nothing_is_taken(platform, headers):
    answer = await platform.post(None, one(wall_now_us()), **headers)
    assert is_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_api_key_is_no_device_token(platform):
    tenant = await platform.tenant()
    assert is_problem(await platform.post(tenant.api_key, one(1)), 401, "unauthorized")


async def test_a_revoked_token_is_refused(platform, platform_rows):
    tenant = await platform.tenant(THERMOMETER)
    assert (await platform.post(tenant.token("t1"), one(wall_now_us()))).status == 200
    await platform_rows.execute(
        "update iot.device_credentials set revoked_at = now() where device_id = $1",
        tenant.devices["t1"].device_id,
    )
    await until(lambda: platform.post(tenant.token("t1"), one(wall_now_us())), 401)


async def test_a_device_that_is_not_yet_provisioned_may_not_speak(platform, platform_rows):
    tenant = await platform.tenant(THERMOMETER)
    new = await platform_rows.fetchval(
        "insert into iot.devices (organization_id, device_type_id, device_type_version,"
        " hardware_revision, serial_number) select organization_id, device_type_id,"
        " device_type_version, hardware_revision, 'new' from iot.devices where device_id = $1"
        " returning device_id",
        tenant.devices["t1"].device_id,
    )
    await platform_rows.execute(
        "update iot.device_credentials set device_id = $1 where device_id = $2",
        new,
        tenant.devices["t1"].device_id,
    )
    answer = await until(lambda: platform.post(tenant.token("t1"), one(wall_now_us())), 403)
    assert is_problem(answer, 403, "device_inactive")
    for status in ("active", "maintenance"):
        await set_status(platform_rows, new, status)
        await until(lambda: platform.post(tenant.token("t1"), one(wall_now_us())), 200)


async def test_an_inactive_device_behind_a_gateway_spoils_only_its_own(
    platform, platform_rows, eventually
):
    tenant = await platform.tenant(
        NewDevice(serial_number="g", device_type="gateway"),
        NewDevice(serial_number="a", device_type="thermometer", gateway="g"),
        NewDevice(serial_number="b", device_type="thermometer", gateway="g"),
    )
    await set_status(platform_rows, tenant.devices["a"].device_id, "suspended")

    async def only_one_is_refused() -> bool:
        now = wall_now_us()
        body = [{"sensor": str(tenant.sensor(s)), "t": now, "v": 1} for s in ("a", "b")]
        answer = await platform.post(tenant.token("g"), body)
        return [one["code"] for one in answer.body["rejected"]] == ["device_inactive"]

    await eventually(only_one_is_refused)


async def test_only_post(platform):
    answer = await platform.request("GET", "/v1/readings", {}, b"")
    assert is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", ""])
async def test_an_unknown_media_type(platform, kind):
    tenant = await platform.tenant(THERMOMETER)
    answer = await platform.post(tenant.token("t1"), one(1), kind=kind)
    assert is_problem(answer, 415, "unsupported_media")


async def test_an_unknown_encoding(platform):
    tenant = await platform.tenant(THERMOMETER)
    answer = await platform.post(tenant.token("t1"), one(1), Content_Encoding="br")
    assert is_problem(answer, 415, "unsupported_media")


def _stream(table: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, **options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


EMPTY = ARROW_SCHEMA.empty_table()
ARROW_BODIES = {
    "no stream": b"no stream",
    "nothing": b"",
    "cut off": _stream(EMPTY)[:40],
    "a column too few": _stream(EMPTY.drop_columns(["v"])),
    "a column too many": _stream(EMPTY.append_column("w", pa.array([], pa.int8()))),
    "another type": _stream(EMPTY.set_column(2, "v", pa.array([], pa.float32()))),
    "compressed inside": _stream(
        pa.table(
            {
                "sensor_id": pa.array([bytes(16)] * 9, pa.binary(16)),
                "t": pa.array([0] * 9, pa.timestamp("us", "UTC")),
                "v": pa.array([0.0] * 9),
            },
            schema=ARROW_SCHEMA,
        ),
        options=pa.ipc.IpcWriteOptions(compression="zstd"),
    ),
}


@pytest.mark.parametrize("name", ARROW_BODIES)
async def test_an_arrow_body_that_cannot_be_read(platform, name):
    tenant = await platform.tenant(THERMOMETER)
    answer = await platform.post(tenant.token("t1"), ARROW_BODIES[name], kind=ARROW_MEDIA_TYPE)
    assert is_problem(answer, 422, "unreadable_body")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"readings": 5}', b'{"readings": [}', b"\xff\xfe", b"[" * 10_000]
)
async def test_a_json_body_that_cannot_be_read(platform, body):
    tenant = await platform.tenant(THERMOMETER)
    answer = await platform.post(tenant.token("t1"), body)
    assert is_problem(answer, 422, "unreadable_body")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_compressed_body_that_is_none(platform, encoding):
    tenant = await platform.tenant(THERMOMETER)
    for body in (b"not compressed", gzip.compress(b"x" * 999)[:-5]):
        answer = await platform.post(tenant.token("t1"), body, Content_Encoding=encoding)
        assert is_problem(answer, 422, "unreadable_body")


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("zstd", lambda body: zstandard.compress(body))],
)
async def test_a_small_body_that_expands_beyond_the_limit(
    platform, platform_settings: PlatformSettings, encoding, compress
):
    tenant = await platform.tenant(THERMOMETER)
    bomb = compress(bytes(platform_settings.ingest.expanded_size + 1))
    assert len(bomb) < 100_000
    answer = await platform.post(tenant.token("t1"), bomb, Content_Encoding=encoding)
    assert is_problem(answer, 413, "body_too_large")


async def test_a_body_beyond_the_limit(platform, platform_settings: PlatformSettings):
    tenant = await platform.tenant(THERMOMETER)
    size = platform_settings.ingest.body_size + 1
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.settings.port)
    writer.write(
        b"POST /v1/readings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %b\r\nContent-Length: %d\r\n\r\n"
        % (tenant.token("t1").encode(), size)
    )
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    chunked = {"Authorization": f"Bearer {tenant.token('t1')}", "Transfer-Encoding": "chunked"}
    pieces = (b"100000\r\n" + bytes(0x100000) + b"\r\n") * (size // 0x100000 + 1)
    head = "".join(f"{name}: {value}\r\n" for name, value in chunked.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.settings.port)
    writer.write(b"POST /v1/readings HTTP/1.1\r\nHost: x\r\n" + head.encode() + b"\r\n" + pieces)
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()


async def test_too_many_readings_in_a_body(platform, platform_settings: PlatformSettings):
    tenant = await platform.tenant(THERMOMETER)
    body = one(1) * (platform_settings.ingest.body_readings + 1)
    answer = await platform.post(tenant.token("t1"), body)
    assert is_problem(answer, 422, "unreadable_body")


async def test_a_device_may_post_as_soon_as_it_is_enrolled(platform):
    """Twenty devices, one after another, each with its first request right after its enrolment."""
    tenant = await platform.tenant()
    for number in range(20):
        device = NewDevice(serial_number=f"n{number}", device_type="thermometer")
        await platform.enrol(tenant, device)
        answer = await platform.post(tenant.token(f"n{number}"), one(wall_now_us()))
        assert (answer.status, answer.body["accepted"]) == (200, 1)


async def test_many_unknown_tokens_at_once_are_all_refused(platform):
    posts = (platform.post(f"bad-{n % 50}", one(1)) for n in range(200))
    assert {answer.status for answer in await asyncio.gather(*posts)} == {401}


async def set_status(rows: asyncpg.Connection, device_id: object, status: str) -> None:
    await rows.execute(
        "update iot.devices set device_status = $2 where device_id = $1", device_id, status
    )


async def until(ask, status: int):
    """Ask again until the answer has a status: the registry's news takes a moment."""
    async with asyncio.timeout(10):
        while True:
            answer = await ask()
            if answer.status == status:
                return answer
            await asyncio.sleep(0.05)
