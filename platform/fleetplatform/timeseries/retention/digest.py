"""Hashes of readings whose sum modulo 2^64 does not depend on their order.

The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014). docs/retention.md says how a third party computes the same.
"""

import numpy as np
from numpy.typing import NDArray

from fleetplatform.timeseries.retention.rows import Readings

Hashes = NDArray[np.uint64]

_PIECE = 1 << 15
"""Readings hashed at once: what is in between stays in the cache."""
_GAMMA = np.uint64(0x9E3779B97F4A7C15)


def hash_sensors(high: Hashes, low: Hashes) -> Hashes:
    """What all readings of a sensor have in common, from the halves of its id."""
    return _mixed(_mixed(high + _GAMMA) + low)


def hash_keys(readings: Readings) -> Hashes:
    """Sensor and time of each reading, which identify it."""
    return _mixed(
        hash_sensors(readings.sensor_high, readings.sensor_low) + readings.t_us.view(np.uint64)
    )


def hash_readings(readings: Readings) -> Hashes:
    """Sensor, time and value as it arrived."""
    return _mixed(hash_keys(readings) + readings.sent.view(np.uint64))


def sums(readings: Readings) -> tuple[int, int]:
    """Over sensor, time and value as it arrived, and over every column."""
    sent = contents = 0
    for start in range(0, len(readings), _PIECE):
        piece = readings.take(slice(start, start + _PIECE))
        hashes = hash_readings(piece)
        sent += int(hashes.sum(dtype=np.uint64))
        contents += int(_with_contents(hashes, piece).sum(dtype=np.uint64))
    return sent % 2**64, contents % 2**64


def _with_contents(hashed: Hashes, readings: Readings) -> Hashes:
    for column in (
        readings.value.view(np.uint64),
        readings.received_us.view(np.uint64),
        readings.device_high,
        readings.device_low,
        readings.score.view(np.uint32).astype(np.uint64),
        readings.quality.astype(np.int64).view(np.uint64),
        readings.is_anomaly.astype(np.uint64),
        readings.metadata_hash.view(np.uint64),
    ):
        hashed = _mixed(hashed + column)
    return hashed


def _mixed(bits: Hashes) -> Hashes:
    mixed = bits ^ (bits >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
