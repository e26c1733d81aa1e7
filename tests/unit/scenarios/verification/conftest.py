"""Books of a few sensors, made by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from fleetsim.ledger.digest import reading_hash
from fleetsim.ledger.report import Disposition, LedgerReport, Readings

Books = Callable[[Readings], LedgerReport]


@pytest.fixture
def books() -> Books:
    """The ledger of sensors whose every emitted reading is given; calibration 1.01 × raw + 0.3."""
    return make_books


def make_books(readings: Readings) -> LedgerReport:
    sensors = int(readings.sensor.max()) + 1
    rng = np.random.default_rng(17)
    high, low = rng.integers(1, 2**63, (2, sensors)).astype(np.uint64)

    def count(*dispositions: Disposition) -> np.ndarray:
        chosen = np.isin(readings.disposition, dispositions)
        return np.bincount(readings.sensor[chosen], minlength=sensors)

    acknowledged = readings.disposition == Disposition.ACKNOWLEDGED
    sensor = readings.sensor[acknowledged]
    hashes = np.zeros(sensors, dtype=np.uint64)
    np.add.at(
        hashes,
        sensor,
        reading_hash(
            high[sensor], low[sensor], readings.t_us[acknowledged], readings.raw[acknowledged]
        ),
    )
    return LedgerReport(
        sensor_high=high,
        sensor_low=low,
        device_ordinal=np.arange(sensors),
        sensor_ordinal=np.zeros(sensors, dtype=np.int64),
        sensor_name=["temperature"] * sensors,
        serial=[f"run-d{i:06d}" for i in range(sensors)],
        emitted=np.bincount(readings.sensor, minlength=sensors),
        acknowledged=count(Disposition.ACKNOWLEDGED),
        buffered=count(Disposition.BUFFERED),
        indeterminate=count(Disposition.INDETERMINATE),
        acknowledged_hash=hashes,
        multiplier=np.full(sensors, 1.01),
        offset=np.full(sensors, 0.3),
    )
