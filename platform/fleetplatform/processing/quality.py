"""How far a reading can be trusted: bits of `sensor_data.data_quality`.

A reading that is not older than the newest of its sensor is *in order*. What judges a reading by
the one before it judges those in order alone (`continuity`); what needs no other reading is here.
"""

from enum import IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.int16]


class Quality(IntFlag):
    """The bits; 0 is valid. Times are those of measurement, except where it says received.

    RANGE: the calibrated value lies outside min to max of its sensor · RATE: it differs from that
    of the reading before by more than rate_max allows in the time between them, or in a sampling
    interval where that is longer · FLAT: for longer than flat_after the sensor has sent this value
    and no other, without a gap · GAP: more than `gap_intervals` sampling intervals after the
    reading before · LATE: older than the newest reading of its sensor, so not in order ·
    CLOCK_SKEW: measured later than it was received, by more than `clock_skew` · UNCALIBRATED: the
    calibration in force was overdue · STALE: in order, and received more than `stale_after` after
    it was measured.

    The reading before is the newest one stored; without one RATE, FLAT and GAP are not judged.
    min, max, rate_max, flat_after and the sampling interval are the sensor's, from its device type;
    the others are settings. Values of sensitive sensors are compared with none: no RATE, no FLAT.
    """

    VALID = 0
    RANGE = 1
    RATE = 2
    FLAT = 4
    GAP = 8
    LATE = 16
    CLOCK_SKEW = 32
    UNCALIBRATED = 64
    STALE = 128


class Tolerances(NamedTuple):
    """What is no property of a sensor."""

    gap_intervals: int
    stale_after_us: int
    clock_skew_us: int


def judge_range(
    value: NDArray[np.float64], value_min: NDArray[np.float64], value_max: NDArray[np.float64]
) -> Bits:
    """RANGE where a calibrated value lies outside what its sensor can measure; n readings each."""
    outside = (value < value_min) | (value > value_max)
    return np.where(outside, np.int16(Quality.RANGE), np.int16(Quality.VALID)).astype(np.int16)


def judge_arrival(
    measured_us: NDArray[np.int64],
    received_us: int,
    late: NDArray[np.bool_],
    tolerances: Tolerances,
) -> Bits:
    """LATE, STALE and CLOCK_SKEW of n readings that were received at one time."""
    newest_us = received_us + tolerances.clock_skew_us
    oldest_us = received_us - tolerances.stale_after_us
    bits = bit(late, Quality.LATE)
    if measured_us.max(initial=newest_us) > newest_us:
        bits |= bit(measured_us > newest_us, Quality.CLOCK_SKEW)
    if measured_us.min(initial=oldest_us) < oldest_us:
        bits |= bit((measured_us < oldest_us) & ~late, Quality.STALE)
    return bits


def bit(where: NDArray[np.bool_], quality: Quality) -> Bits:
    """That bit where it is true."""
    return where * np.int16(quality)
