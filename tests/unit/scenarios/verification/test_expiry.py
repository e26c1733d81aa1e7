"""Readings that retention deleted are told from those that were lost."""

import numpy as np
import pytest

from fleetsim.ledger.digest import hash_onto
from fleetsim.ledger.report import Readings
from fleetstorm.verification.expiry import Account, settle

SENSOR = np.uint64(99)


@pytest.fixture
def readings() -> Readings:
    """Ten readings of one sensor; the last two were never answered for."""
    count = 10
    return Readings(
        sensor=np.zeros(count, np.int64),
        t_us=np.arange(count) * 1000,
        raw=np.arange(count) * 0.5,
        disposition=np.zeros(count, np.int8),
    )


def _hash(readings: Readings, *at: int) -> int:
    chosen = list(at)
    hashes = hash_onto(
        np.full(len(chosen), SENSOR), readings.t_us[chosen], readings.raw[chosen]
    )
    return int(hashes.sum(dtype=np.uint64))


def _settle(
    readings: Readings, lost: list[int], absent: list[int], told: tuple[int, int | None]
) -> tuple[list[int], int, int]:
    found: Account = settle(
        readings, np.array(lost, np.intp), np.array(absent, np.intp), SENSOR, told
    )
    return found.expired.tolist(), found.too_many, found.altered


def test_what_was_deleted_is_not_lost(readings: Readings) -> None:
    told = (3, _hash(readings, 0, 1, 2))
    assert _settle(readings, [2, 0, 1], [], told) == ([0, 1, 2], 0, 0)


def test_of_too_many_missing_the_newest_are_lost(readings: Readings) -> None:
    told = (2, _hash(readings, 0, 1))
    assert _settle(readings, [0, 1, 7], [], told) == ([0, 1], 0, 0)


def test_a_reading_never_answered_for_may_have_been_deleted(readings: Readings) -> None:
    told = (3, _hash(readings, 0, 1, 9))
    assert _settle(readings, [0, 1], [8, 9], told) == ([0, 1], 0, 0)


def test_more_deleted_than_ever_sent_is_told(readings: Readings) -> None:
    told = (4, _hash(readings, 0, 1))
    assert _settle(readings, [0, 1], [9], told) == ([0, 1], 1, 0)


def test_others_deleted_than_those_missing_is_told(readings: Readings) -> None:
    told = (2, _hash(readings, 0, 5))
    assert _settle(readings, [0, 1], [], told) == ([0, 1], 0, 1)


def test_a_sensitive_sensor_is_counted_alone(readings: Readings) -> None:
    assert _settle(readings, [0, 1], [], (2, None)) == ([0, 1], 0, 0)
    assert _settle(readings, [0, 1], [], (0, 0)) == ([], 0, 0)
