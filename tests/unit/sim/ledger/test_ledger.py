"""The books: every reading ends once, or the books do not close."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fleetsim.errors import LedgerError
from fleetsim.ledger.digest import reading_hash
from fleetsim.ledger.exceptions import Exceptions
from fleetsim.ledger.ledger import Ledger
from fleetsim.ledger.merge import merge_reports, merge_samples
from fleetsim.ledger.report import Disposition, ExpectedAlert, LedgerReport, Sample

_HIGH = np.array([7, 7, 8], np.uint64)
_LOW = np.array([1, 2, 1], np.uint64)
_SENSOR = np.array([0, 0, 1, 1, 2, 2, 2], np.int32)
_TICK = np.array([0, 1, 0, 1, 0, 1, 2], np.int64)
_T_US = 1_000_000 * (_TICK + 1)
_RAW = _TICK / 2 + _SENSOR


def _ledger() -> tuple[Ledger, NDArray[np.uint64]]:
    ledger = Ledger(_HIGH, _LOW, np.array([3, 3, 4]), np.array([0, 1, 0], np.int16))
    return ledger, ledger.emit(_SENSOR, _TICK, _T_US, _RAW, np.zeros(7, np.int8))


def _write(ledger: Ledger) -> LedgerReport:
    ledger.check()
    return ledger.write(["a", "b", "a"], ["d3", "d3", "d4"], np.ones(3), np.zeros(3))


def test_every_end_is_booked_at_its_sensor() -> None:
    ledger, hashes = _ledger()
    ledger.withhold(_SENSOR[:1], "dropout")
    ledger.drop(_SENSOR[1:2], _TICK[1:2], "buffer_full")
    ledger.reject(_SENSOR[2:3], _TICK[2:3], "out_of_window")
    ledger.acknowledge(_SENSOR[3:5], hashes[3:5])
    ledger.remain(_SENSOR[5:6], _TICK[5:6], Disposition.INDETERMINATE)
    ledger.remain(_SENSOR[6:7], _TICK[6:7], Disposition.BUFFERED)
    report = _write(ledger)
    assert report.emitted.tolist() == [2, 2, 3]
    assert report.withheld["dropout"].tolist() == [1, 0, 0]
    assert report.dropped["buffer_full"].tolist() == [1, 0, 0]
    assert report.rejected["out_of_window"].tolist() == [0, 1, 0]
    assert report.acknowledged.tolist() == [0, 1, 1]
    assert report.indeterminate.tolist() == [0, 0, 1]
    assert report.buffered.tolist() == [0, 0, 1]
    expected = reading_hash(_HIGH[_SENSOR], _LOW[_SENSOR], _T_US, _RAW)
    assert report.acknowledged_hash.tolist() == [0, expected[3], expected[4]]
    assert ledger.exceptions.dispositions(_SENSOR, _TICK).tolist() == [0, 2, 1, 0, 0, 5, 4]
    assert ledger.totals.open == 0


def test_a_reading_without_an_end_is_an_error_that_names_the_sensor() -> None:
    ledger, hashes = _ledger()
    ledger.acknowledge(_SENSOR[:6], hashes[:6])
    with pytest.raises(LedgerError, match="device 4, sensor 0: 3 emitted, 2 accounted for"):
        ledger.check()


def test_a_reading_that_ends_twice_is_an_error() -> None:
    ledger, hashes = _ledger()
    ledger.acknowledge(_SENSOR, hashes)
    ledger.check()
    ledger.drop(_SENSOR[:1], _TICK[:1], "buffer_full")
    with pytest.raises(LedgerError, match="2 emitted, 3 accounted for"):
        ledger.check()


def test_without_exceptions_all_is_acknowledged() -> None:
    assert Exceptions().dispositions(_SENSOR, _TICK).tolist() == [0] * 7


def test_reports_of_shards_are_joined_in_order() -> None:
    first, hashes = _ledger()
    first.acknowledge(_SENSOR, hashes)
    second, hashes = _ledger()
    second.acknowledge(_SENSOR[1:], hashes[1:])
    second.drop(_SENSOR[:1], _TICK[:1], "buffer_full")
    reports = [_write(first), _write(second)]
    reports[0].requests, reports[1].requests = 3, 4
    reports[1].expected_alerts = [ExpectedAlert("hot", 2, 5, -1, True)]
    merged = merge_reports(reports)
    assert merged.sensors == 6
    assert merged.requests == 7
    assert merged.dropped["buffer_full"].tolist() == [0, 0, 0, 1, 0, 0]
    assert merged.acknowledged.tolist() == [2, 2, 3, 1, 2, 3]
    assert merged.expected_alerts == [ExpectedAlert("hot", 5, 5, -1, True)]


def test_a_merged_sample_stands_where_the_last_shard_does() -> None:
    samples = [Sample(virtual_us=5, emitted=2, cpu_s=0.5), Sample(virtual_us=4, emitted=1)]
    samples[1].response.add(np.array([10, 20]))
    merged = merge_samples(samples)
    assert (merged.virtual_us, merged.emitted, merged.cpu_s) == (4, 3, 0.5)
    assert merged.response.count == 2
