"""encrypt_sensor_value and decrypt_sensor_value: what comes back, and what is refused how."""

import os
import struct
import uuid
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEY, OTHER = bytes(range(32)), bytes(32)
SENSOR = uuid.UUID(int=7)
AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
ENCRYPT = "select iot.encrypt_sensor_value($1, $2, $3, $4, $5, 'k1', $6)"
DECRYPT = "select * from iot.decrypt_sensor_value($1, $2, $3, $4, $5)"

floats = st.floats(allow_nan=False)


async def _seal(conn: asyncpg.Connection, value: float, metadata: str | None = None) -> bytes:
    sealed: bytes = await conn.fetchval(ENCRYPT, value, value / 2, metadata, SENSOR, AT, KEY)
    return sealed


async def _open(
    conn: asyncpg.Connection, sealed: bytes, sensor: Any = SENSOR, at: Any = AT, **keys: bytes
) -> Any:
    keys = keys or {"k1": KEY}
    return await conn.fetchrow(DECRYPT, sealed, sensor, at, list(keys), list(keys.values()))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=floats, sent=floats)
async def test_any_two_numbers_come_back_to_the_bit(
    platform_rows: asyncpg.Connection, value: float, sent: float
) -> None:
    sealed = await platform_rows.fetchval(ENCRYPT, value, sent, None, SENSOR, AT, KEY)
    found = await _open(platform_rows, sealed)
    assert struct.pack("dd", value, sent) == struct.pack("dd", *found[:2])
    assert found["metadata"] is None
    assert len(sealed) == 100


async def test_two_of_the_same_differ_and_show_neither_value_nor_metadata(
    platform_rows: asyncpg.Connection,
) -> None:
    one, two = [await _seal(platform_rows, 41.732951, '{"who": "°"}') for _ in range(2)]
    assert one[20:36] != two[20:36]
    assert b"k1" in one
    assert not any(part in one for part in (b"41.7", b"who", struct.pack(">d", 41.732951)))
    found = await _open(platform_rows, one, old=OTHER, k1=KEY)
    assert tuple(found) == (41.732951, 41.732951 / 2, '{"who": "°"}')


async def test_another_key_and_a_missing_one_are_told_apart(
    platform_rows: asyncpg.Connection,
) -> None:
    sealed = await _seal(platform_rows, 1.0)
    with pytest.raises(asyncpg.DataCorruptedError, match='cannot be decrypted with the key "k1"'):
        await _open(platform_rows, sealed, k1=OTHER)
    with pytest.raises(asyncpg.UndefinedObjectError, match='key "k1", which is not among the keys'):
        await _open(platform_rows, sealed, k2=KEY)


async def test_a_value_that_was_changed_or_moved_is_refused(
    platform_rows: asyncpg.Connection,
) -> None:
    """Every byte of it counts, and so do the sensor and the time."""
    sealed = await _seal(platform_rows, 1.0)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 0x11
        with pytest.raises((asyncpg.DataCorruptedError, asyncpg.UndefinedObjectError)):
            await _open(platform_rows, bytes(changed))
    for short in (b"", sealed[:20], sealed[:-1], sealed[:-16], sealed + b"\0"):
        with pytest.raises(asyncpg.DataCorruptedError):
            await _open(platform_rows, short)
    with pytest.raises(asyncpg.DataCorruptedError, match="changed"):
        await _open(platform_rows, sealed, sensor=uuid.UUID(int=8))
    with pytest.raises(asyncpg.DataCorruptedError, match="changed"):
        await _open(platform_rows, sealed, at=AT.replace(microsecond=1))


async def test_a_key_of_another_length_is_refused(platform_rows: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="a key has 32 bytes"):
        await platform_rows.fetchval(ENCRYPT, 1.0, 1.0, None, SENSOR, AT, os.urandom(16))


@pytest.mark.parametrize(
    ("role", "may"),
    [("iot_ingest", {"encrypt_sensor_value"}), ("iot_api", {"decrypt_sensor_value"}),
     ("iot_worker", set())],
)  # fmt: skip
async def test_ingest_encrypts_and_the_api_alone_decrypts(
    platform_rows: asyncpg.Connection, role: str, may: set[str]
) -> None:
    rows = await platform_rows.fetch(
        "select proname from pg_proc where pronamespace = 'iot'::regnamespace"
        " and proname like '%crypt_sensor_value' and has_function_privilege($1, oid, 'execute')",
        role,
    )
    assert {row["proname"] for row in rows} == may
    reach = "select has_schema_privilege($1, 'iot_crypto', 'usage')"
    assert not await platform_rows.fetchval(reach, role)
