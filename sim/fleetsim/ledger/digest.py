"""Hashes of readings whose sum does not depend on their order.

Each reading becomes 64 well-mixed bits and a set of readings the sum of these modulo 2^64, so
shards and the court add up their parts. One reading missing, doubled or altered changes the sum
but for a chance of 2^-64. The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014), a bijection of 64 bits.
"""

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FACTOR_1 = np.uint64(0xBF58476D1CE4E5B9)
_FACTOR_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)
_SECOND_LANE = np.uint64(0xD1B54A32D192ED03)


def reading_hash(
    sensor_high: NDArray[np.uint64],
    sensor_low: NDArray[np.uint64],
    t_us: NDArray[np.int64],
    raw: NDArray[np.float64],
) -> NDArray[np.uint64]:
    """uint64[n] of n readings; the bits of `raw` count as they are, NaN and -0.0 included."""
    return hash_onto(sensor_hash(sensor_high, sensor_low), t_us, raw)


def sensor_hash(
    sensor_high: NDArray[np.uint64], sensor_low: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """The part of `reading_hash` that is the same for all readings of a sensor."""
    return _mix(_mix(sensor_high + _GOLDEN) + sensor_low)


def hash_onto(
    sensor_hashes: NDArray[np.uint64], t_us: NDArray[np.int64], raw: NDArray[np.float64]
) -> NDArray[np.uint64]:
    """`reading_hash` of readings whose sensors' hashes are known; arrays of one length."""
    hashed = _mix(sensor_hashes + t_us.view(np.uint64))
    hashed += raw.view(np.uint64)
    return _mix(hashed)


class RunDigest:
    """What all sensors of a run measured, as 128 bits that do not depend on order or shards.

    Two readings differ if their device ordinal, sensor ordinal, tick, value or fault label do.
    """

    def __init__(self) -> None:
        self._lanes = (0, 0)
        self._count = 0

    def add(
        self,
        sensor_hashes: NDArray[np.uint64],
        tick: NDArray[np.int64],
        value: NDArray[np.float64],
        label: NDArray[np.int8],
    ) -> None:
        """Count readings in; `sensor_hashes` by `ordinal_hash`, value as the sensor gave it."""
        hashed = hash_onto(sensor_hashes, tick, value)
        hashed = _mix(hashed + label.astype(np.int64).view(np.uint64))
        self._add(int(hashed.sum()), int(_mix(hashed ^ _SECOND_LANE).sum()), len(tick))

    def merge(self, other: "RunDigest") -> None:
        """Count in what another has."""
        self._add(*other._lanes, other._count)

    def hex(self) -> str:
        """32 hexadecimal digits and the number of readings."""
        first, second = self._lanes
        return f"{first:016x}{second:016x}-{self._count}"

    def _add(self, first: int, second: int, count: int) -> None:
        self._lanes = ((self._lanes[0] + first) % 2**64, (self._lanes[1] + second) % 2**64)
        self._count += count


def ordinal_hash(
    device_ordinal: NDArray[np.int64], sensor_ordinal: NDArray[np.int16]
) -> NDArray[np.uint64]:
    """What a sensor is in the run's digest: its place in the fleet, never an id."""
    return sensor_hash(
        device_ordinal.astype(np.uint64), sensor_ordinal.astype(np.int64).view(np.uint64)
    )


def sum_by_sensor(
    sensor: NDArray[np.int32], hashes: NDArray[np.uint64], into: NDArray[np.uint64]
) -> None:
    """Add each reading's hash to its sensor's sum, modulo 2^64."""
    np.add.at(into, sensor, hashes)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = x ^ (x >> _SHIFT_1)
    mixed *= _FACTOR_1
    mixed ^= mixed >> _SHIFT_2
    mixed *= _FACTOR_2
    mixed ^= mixed >> _SHIFT_3
    return mixed
