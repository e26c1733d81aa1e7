"""Flags in a real table against planted faults; sixty seconds of a hundred sensors."""

from typing import Any
from uuid import UUID

import pytest

from fleetsim.ledger.truth import Interval
from fleetstorm.results.summary import Anomalies, Detection
from fleetstorm.verification.anomalies import verify_anomalies

Case = Any

TENANT = UUID(int=0x019_0000_0000_7000_8000_0000_0000_0001)
JUNE_US = 1_780_272_000_000_000
SENSORS, TICKS = 100, 60
FLAG = """
update iot.sensor_data set is_anomaly = true where sensor_id = $1 and measurement_timestamp = $2
"""
UNSCORED = 7


async def score_all(case: Case) -> None:
    """Every reading has a score, but those of one sensor."""
    await case.conn.execute(
        "update iot.sensor_data set anomaly_score = 1 where sensor_id <> $1",
        case.sensor_id(UNSCORED),
    )


def plant(case: Case, kind: str, sensor: int, first: int, last: int) -> None:
    """A fault of a sensor from its reading at a second until before another."""
    start_us, end_us = (JUNE_US + tick * 1_000_000 + sensor for tick in (first, last))
    case.ledger.truth.append(Interval(kind, sensor, 0, start_us, end_us, 1.0))


async def verify(case: Case) -> Anomalies | None:
    return await verify_anomalies(case.url, [TENANT], case.ledger, seed=3)


async def test_flags_are_right_within_a_fault_and_wrong_outside(case: Case) -> None:
    await score_all(case)
    for sensor in (0, 1):
        plant(case, "spike", sensor, 30, 40)
    plant(case, "stuck", 2, 20, 40)
    plant(case, "stuck", UNSCORED, 20, 40)
    for sensor, tick in (
        (0, 33), (0, 35),  # found after 3 s
        (0, 10),  # before the fault: wrong
        (0, 29), (0, 40),  # just before: wrong; just after: neither
        (0, 59),  # in the hour after: neither
        (50, 5),  # a sensor that never had a fault: wrong
    ):  # fmt: skip
        await case.change(FLAG, sensor, tick)
    found = await verify(case)
    assert found is not None
    assert (found.judged, found.flagged) == ((SENSORS - 1) * TICKS, 7)
    assert found.by_fault == {
        "spike": Detection(faults=2, precision=0.5, recall=0.5, f1=0.5, delay_s=3.0),
        "stuck": Detection(faults=1, precision=None, recall=0.0, f1=0.0, delay_s=None),
    }
    overall = found.overall
    assert overall is not None
    assert (overall.faults, overall.precision, overall.recall) == (3, 0.4, 1 / 3)
    assert overall.f1 == pytest.approx(4 / 11)
    assert found.null_detector == Detection(faults=3, recall=0.0, f1=0.0)
    chance = found.random_detector
    assert chance is not None
    assert chance.recall is not None
    assert 0 < chance.recall < 0.1
    assert found.f1_above_random == pytest.approx(4 / 11 - (chance.f1 or 0))


async def test_faults_that_overlap_are_each_found_and_no_flag_counts_twice(case: Case) -> None:
    await score_all(case)
    plant(case, "spike", 0, 30, 40)
    plant(case, "stuck", 0, 35, 50)
    await case.change(FLAG, 0, 36)
    await case.change(FLAG, 0, 1)
    found = await verify(case)
    assert found is not None
    assert found.overall == Detection(
        faults=2, precision=0.5, recall=1.0, f1=pytest.approx(2 / 3), delay_s=3.5
    )


async def test_what_a_run_did_not_exercise_is_nothing(case: Case) -> None:
    assert await verify(case) is None
    plant(case, "spike", 0, 30, 40)
    assert await verify(case) is None
    await score_all(case)
    case.ledger.truth.clear()
    plant(case, "spike", UNSCORED, 30, 40)
    found = await verify(case)
    assert found is not None
    assert found.by_fault == {"spike": Detection(faults=0)}
    assert found.overall == found.null_detector == found.random_detector == Detection(faults=0)
    assert found.f1_above_random is None
