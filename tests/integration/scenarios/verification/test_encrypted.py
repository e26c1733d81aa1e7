"""Readings of sensitive sensors before the court: decrypted by SQL of its own."""

from typing import Any

import pytest

from fleetstorm.errors import UsageError
from fleetstorm.verification.readings import ReadingsVerdict, verify_readings

KEYS = {"k1": bytes(range(32))}
TENANT_ROWS = "sensor_id = $1 and measurement_timestamp = $2"
ENCRYPT = """
with sensitive as (
    update iot.sensors set sensitive = true where sensor_id = any ($1) returning sensor_id
)
update iot.sensor_data as d
set measurement_value = null, raw_value = null,
    value_encrypted = iot.encrypt_sensor_value(
        measurement_value, coalesce(raw_value, measurement_value), '{"a": 1}', d.sensor_id,
        measurement_timestamp, 'k1', $2
    )
from sensitive as s where s.sensor_id = d.sensor_id
"""


async def _verify(case: Any, keys: dict[str, bytes] = KEYS) -> ReadingsVerdict:
    tenant = await case.conn.fetchval("select organization_id from iot.organizations")
    return await verify_readings(case.url, [tenant], case.ledger, case.witness, keys)


@pytest.fixture
async def secret(case: Any) -> Any:
    """The case with ten sensitive sensors, five of them calibrated."""
    sensors = [case.sensor_id(i) for i in range(10)]
    assert await case.conn.execute(ENCRYPT, sensors, KEYS["k1"]) == "UPDATE 600"
    return case


async def test_encrypted_readings_are_there_and_unchanged(secret: Any) -> None:
    verdict = await _verify(secret)
    assert verdict == ReadingsVerdict(stored=6000, stray=6000)
    assert secret.asked == []


async def test_what_was_lost_altered_or_tampered_with_is_named(secret: Any) -> None:
    await secret.change(f"delete from iot.sensor_data where {TENANT_ROWS}", 1, 5)
    value = "iot.encrypt_sensor_value(1, 1, null, $1, $2, 'k1', $3)"
    statement = f"update iot.sensor_data set value_encrypted = {value} where {TENANT_ROWS}"
    await secret.change(statement, 3, 7, KEYS["k1"])
    flipped = "set_byte(value_encrypted, 50, get_byte(value_encrypted, 50) # 1)"
    statement = f"update iot.sensor_data set value_encrypted = {flipped} where {TENANT_ROWS}"
    await secret.change(statement, 5, 9)
    verdict = await _verify(secret)
    assert (verdict.lost, verdict.altered, verdict.stored) == (1, 2, 5999)
    found = {(one.what, one.serial, one.found) for one in verdict.examples}
    assert {("lost", "run-d2", None), ("altered", "run-d4", 1.0)} < found
    assert ("altered", "run-d6", "nan") in found


async def test_a_calibration_in_force_is_checked_behind_the_encryption(secret: Any) -> None:
    row = f"select * from iot.sensor_data where {TENANT_ROWS}"
    sensor = secret.sensor_id(2)
    at = await secret.conn.fetchval(
        "select min(measurement_timestamp) from iot.sensor_data where sensor_id = $1", sensor
    )
    stored = await secret.conn.fetchrow(row, sensor, at)
    await secret.conn.execute(
        "update iot.sensor_data set value_encrypted = iot.encrypt_sensor_value(1, v.sent_value,"
        " null, $1, $2, 'k1', $3) from iot.decrypt_sensor_value($4::bytea, $1::uuid,"
        " $2::timestamptz, '{k1}', array[$3::bytea]) as v"
        f" where {TENANT_ROWS}",
        sensor, at, KEYS["k1"], stored["value_encrypted"],
    )  # fmt: skip
    verdict = await _verify(secret)
    assert (verdict.calibrated_wrong, verdict.altered, verdict.lost) == (1, 0, 0)


async def test_a_key_that_is_not_given_is_asked_for(secret: Any) -> None:
    with pytest.raises(UsageError, match=r'the key "k1": give its file in platform\.encryption'):
        await _verify(secret, {})


async def test_another_key_opens_nothing(secret: Any) -> None:
    verdict = await _verify(secret, {"k1": bytes(32)})
    assert (verdict.altered, verdict.lost) == (600, 0)
