"""Readings to store, without a registry behind them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fleetplatform.batch import Rows

MakeRows = Callable[..., Rows]
JUNE_US = 1_780_272_000_000_000
"""2026-06-01T00:00:00Z."""


@pytest.fixture
def make_rows() -> MakeRows:
    """`count` readings, one a second from 1 June 2026, each of a sensor of its own."""

    def make(count: int, **columns: Any) -> Rows:
        number = np.arange(count)
        nothing = np.full(count, np.nan)
        given = {
            "sensor": number.astype(np.int32),
            "sensor_high": np.full(count, 0xFEDC_BA98_7654_7321, dtype=np.uint64),
            "sensor_low": number.astype(np.uint64) + np.uint64(1 << 63),
            "device_high": np.full(count, 7, dtype=np.uint64),
            "device_low": number.astype(np.uint64),
            "organization_high": np.full(count, 9, dtype=np.uint64),
            "organization_low": np.full(count, 1, dtype=np.uint64),
            "sensor_type": np.full(count, 1, dtype=np.int16),
            "measured_us": JUNE_US + number * 1_000_000,
            "value": number * 0.5,
            "raw": nothing,
            "quality": np.zeros(count, dtype=np.int16),
            "is_anomaly": np.zeros(count, dtype=np.bool_),
            "score": nothing,
            "metadata": None,
            "received_us": JUNE_US + 123_456,
        }
        return Rows(**(given | columns))

    return make
