"""The court finds in a real table whatever differs from the books, and names it."""

from typing import Any

import numpy as np
import pytest

from fleetsim.ledger.report import Disposition
from fleetstorm.verification.readings import ReadingsVerdict

Case = Any

DELETE = "delete from iot.sensor_data where sensor_id = $1 and measurement_timestamp = $2"
INSERT = """
insert into iot.sensor_data select (jsonb_populate_record(
    row, jsonb_build_object('measurement_timestamp', $2::timestamptz + interval '1 us'))).*
from iot.sensor_data as row where sensor_id = $1 and measurement_timestamp = $2
"""
CHANGE = """
update iot.sensor_data
set measurement_value = measurement_value + 0.01, raw_value = raw_value + 0.01
where sensor_id = $1 and measurement_timestamp = $2
"""
RECALIBRATE = """
update iot.sensor_data set measurement_value = measurement_value + 0.01
where sensor_id = $1 and measurement_timestamp = $2
"""
MOVE_TO = """
update iot.sensor_data set {} = uuidv7() where sensor_id = $1 and measurement_timestamp = $2
"""


def wrong(verdict: ReadingsVerdict) -> dict[str, int]:
    names = ("lost", "duplicated", "altered", "unexpected", "calibrated_wrong", "orphans")
    return {name: getattr(verdict, name) for name in names if getattr(verdict, name)}


def named(verdict: ReadingsVerdict) -> list[tuple[Any, ...]]:
    return [(e.what, e.serial, e.t, e.expected, e.found) for e in verdict.examples]


async def test_a_table_that_holds_what_was_sent_is_right_without_a_witness(case: Case) -> None:
    verdict = await case.verify()
    assert wrong(verdict) == {}
    assert (verdict.stored, verdict.examples, case.asked) == (6000, (), [])


async def test_one_deleted_one_inserted_and_one_changed_are_all_named(case: Case) -> None:
    await case.change(DELETE, sensor=7, tick=30)
    await case.change(INSERT, sensor=21, tick=5)
    await case.change(CHANGE, sensor=33, tick=59)
    raw = {(s, t): case.readings.raw[s * 60 + t] for s, t in ((7, 30), (21, 5), (33, 59))}
    verdict = await case.verify()
    assert wrong(verdict) == {"lost": 1, "unexpected": 1, "altered": 1}
    assert sorted(named(verdict)) == [
        ("altered", "run-d34", "2026-06-01T00:00:59.000033Z", raw[33, 59], raw[33, 59] + 0.01),
        ("lost", "run-d8", "2026-06-01T00:00:30.000007Z", raw[7, 30], None),
        ("unexpected", "run-d22", "2026-06-01T00:00:05.000022Z", None, raw[21, 5]),
    ]
    assert sorted(case.asked) == [7, 21, 33]
    assert verdict.examples[0].sensor_id == str(case.sensor_id(7))
    assert verdict.examples[0].sensor == "temperature"


async def test_a_calibrated_value_is_checked_bit_by_bit(case: Case) -> None:
    await case.change(RECALIBRATE, sensor=8, tick=1)
    verdict = await case.verify()
    raw = case.readings.raw[8 * 60 + 1]
    assert wrong(verdict) == {"calibrated_wrong": 1}
    assert verdict.examples[0].expected == raw * 1.01 + 0.3
    assert verdict.examples[0].found == raw * 1.01 + 0.3 + 0.01


async def test_a_value_that_is_gone_is_altered(case: Case) -> None:
    gone = CHANGE.replace("measurement_value + 0.01", "null").replace("raw_value + 0.01", "null")
    await case.change(gone, sensor=9, tick=2)
    verdict = await case.verify()
    assert verdict.altered == 1
    assert next(e for e in verdict.examples if e.what == "altered").found == "nan"


async def test_indeterminate_readings_may_be_there_or_not(case: Case) -> None:
    end = case.readings.disposition
    end[7 * 60 + 30] = end[21 * 60 + 5] = Disposition.INDETERMINATE
    await case.change(DELETE, sensor=7, tick=30)
    case.settle()
    verdict = await case.verify()
    assert wrong(verdict) == {}
    assert verdict.stored == 5999


async def test_a_row_of_a_reading_that_never_arrived_is_unexpected(case: Case) -> None:
    case.readings.disposition[3 * 60 + 4] = Disposition.BUFFERED
    case.settle()
    verdict = await case.verify()
    assert wrong(verdict) == {"unexpected": 1}
    assert named(verdict)[0][:3] == ("unexpected", "run-d4", "2026-06-01T00:00:04.000003Z")


async def test_a_row_of_a_sensor_nobody_knows_is_unexpected_and_an_orphan(case: Case) -> None:
    await case.change(MOVE_TO.format("sensor_id"), sensor=11, tick=0)
    verdict = await case.verify()
    assert wrong(verdict) == {"lost": 1, "unexpected": 1, "orphans": 1}
    assert {e.what for e in verdict.examples} == {"lost", "unexpected"}


async def test_a_row_of_another_device_is_an_orphan(case: Case) -> None:
    await case.change(MOVE_TO.format("device_id"), sensor=11, tick=0)
    assert wrong(await case.verify()) == {"orphans": 1}


async def test_another_tenants_rows_are_not_looked_at(case: Case) -> None:
    await case.change(MOVE_TO.format("organization_id"), sensor=11, tick=0)
    verdict = await case.verify()
    assert (wrong(verdict), verdict.stored) == ({"lost": 1}, 5999)


async def test_a_table_without_a_row_has_lost_everything(case: Case) -> None:
    await case.conn.execute("truncate iot.sensor_data")
    verdict = await case.verify()
    assert wrong(verdict) == {"lost": 6000}
    assert len(verdict.examples) == 20


async def test_disputes_are_settled_in_pieces(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleetstorm.verification.readings._DISPUTE_READINGS_MAX", 500)
    await case.conn.execute("delete from iot.sensor_data where sensor_id = $1", case.sensor_id(1))
    case.ledger.acknowledged_hash += np.uint64(1)
    verdict = await case.verify()
    assert wrong(verdict) == {"lost": 60}
    assert sorted(case.asked) == list(range(100))


async def test_readings_in_default_partitions_stray_until_they_have_one_of_their_own(
    case: Case,
) -> None:
    assert (await case.verify()).stray == 6000
    await case.conn.fetchval("select iot.ensure_partition('2026-06-01', 1::smallint)")
    assert (await case.verify()).stray == 0
    await case.conn.execute("create table iot.taken as select * from iot.sensor_data")
    await case.conn.execute("drop table iot.sensor_data cascade")
    await case.conn.execute("alter table iot.taken rename to sensor_data")
    verdict = await case.verify()
    assert (verdict.stored, verdict.stray) == (6000, None)
