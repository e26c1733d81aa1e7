"""How far a reading can be trusted: bits of `sensor_data.data_quality`."""

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray


class Quality(IntFlag):
    """The bits; 0 is valid. Only those that the stages set today are used."""

    VALID = 0
    RANGE = 1
    RATE = 2
    FLAT = 4
    GAP = 8
    LATE = 16
    CLOCK_SKEW = 32
    UNCALIBRATED = 64
    STALE = 128


def judge_range(
    value: NDArray[np.float64], value_min: NDArray[np.float64], value_max: NDArray[np.float64]
) -> NDArray[np.int16]:
    """RANGE where a calibrated value lies outside what its sensor can measure; n readings each."""
    outside = (value < value_min) | (value > value_max)
    return np.where(outside, np.int16(Quality.RANGE), np.int16(Quality.VALID)).astype(np.int16)
