"""The hash of readings: one missing, doubled or altered shows; order and parts do not."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fleetsim.ledger.digest import RunDigest, ordinal_hash, reading_hash

_SIZE = 100_000
_SEED = 20_261

Readings = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64], NDArray[np.float64]]


@pytest.fixture(scope="module")
def readings() -> Readings:
    rng = np.random.default_rng(_SEED)
    high, low = rng.integers(0, 2**64, (2, 500), dtype=np.uint64)
    sensor = rng.integers(0, 500, _SIZE)
    t_us = 1_780_000_000_000_000 + rng.integers(0, 3_600_000_000, _SIZE)
    raw = np.round(rng.normal(20, 5, _SIZE), 2)
    return high[sensor], low[sensor], t_us, raw


def _sum(readings: Readings) -> int:
    return int(reading_hash(*readings).sum(dtype=np.uint64))


def _changed(readings: Readings, column: int, at: int) -> Readings:
    """The readings with the least significant bit of one column of one reading flipped."""
    copies = tuple(c.copy() for c in readings)
    copies[column].view(np.uint64)[at] ^= np.uint64(1)
    return copies  # type: ignore[return-value]


def test_a_missing_reading_changes_the_sum(readings: Readings) -> None:
    whole = _sum(readings)
    for at in (0, 50_000, _SIZE - 1):
        assert _sum(tuple(np.delete(c, at) for c in readings)) != whole  # type: ignore[arg-type]


def test_a_doubled_reading_changes_the_sum(readings: Readings) -> None:
    whole = _sum(readings)
    for at in (0, 50_000, _SIZE - 1):
        doubled = tuple(np.append(c, c[at]) for c in readings)
        assert _sum(doubled) != whole  # type: ignore[arg-type]


@pytest.mark.parametrize("column", range(4), ids=["high", "low", "t_us", "raw"])
def test_one_altered_bit_changes_the_sum(readings: Readings, column: int) -> None:
    whole = _sum(readings)
    for at in (0, 50_000, _SIZE - 1):
        assert _sum(_changed(readings, column, at)) != whole


def test_two_values_exchanged_between_readings_change_the_sum(readings: Readings) -> None:
    high, low, t_us, raw = (c.copy() for c in readings)
    at = int(np.flatnonzero(raw != raw[0])[0])
    raw[0], raw[at] = raw[at], raw[0]
    assert _sum((high, low, t_us, raw)) != _sum(readings)


def test_order_and_parts_do_not_matter(readings: Readings) -> None:
    order = np.random.default_rng(_SEED).permutation(_SIZE)
    assert _sum(tuple(c[order] for c in readings)) == _sum(readings)  # type: ignore[arg-type]
    halves = [tuple(c[part] for c in readings) for part in (slice(0, 777), slice(777, None))]
    assert sum(_sum(h) for h in halves) % 2**64 == _sum(readings)  # type: ignore[arg-type]


def test_bits_of_the_value_count_as_they_are() -> None:
    one = np.ones(1, np.uint64)
    t = np.ones(1, np.int64)
    values = [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1.0, np.nextafter(1.0, 2)]
    hashes = {int(reading_hash(one, one, t, np.array([v]))[0]) for v in values}
    assert len(hashes) == len(values)


def _mix(x: int) -> int:
    """The finaliser of SplitMix64, in whole numbers."""
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def _reference(high: int, low: int, t_us: int, raw: float) -> int:
    bits = int.from_bytes(struct.pack("<d", raw), "little")
    hashed = _mix((high + 0x9E3779B97F4A7C15) % 2**64)
    for word in (low, t_us % 2**64, bits):
        hashed = _mix((hashed + word) % 2**64)
    return hashed


_WORDS = st.integers(0, 2**64 - 1)


@given(_WORDS, _WORDS, st.integers(-(2**63), 2**63 - 1), st.floats())
def test_the_hash_is_the_one_described(high: int, low: int, t_us: int, raw: float) -> None:
    hashed = reading_hash(
        np.array([high], np.uint64), np.array([low], np.uint64), np.array([t_us]), np.array([raw])
    )
    assert int(hashed[0]) == _reference(high, low, t_us, raw)


def _digest(sensor: NDArray[np.uint64], label: int = 0, raw: float = 1.5) -> RunDigest:
    digest = RunDigest()
    ticks = np.arange(len(sensor), dtype=np.int64)
    values = np.full(len(sensor), raw)
    digest.add(sensor, ticks, values, np.full(len(sensor), label, np.int8))
    return digest


def test_the_runs_digest_sees_label_value_and_sensor_and_merges() -> None:
    devices = np.arange(6, dtype=np.int64)
    first = ordinal_hash(devices, np.zeros(6, np.int16))
    second = ordinal_hash(devices, np.ones(6, np.int16))
    digests = [
        _digest(first).hex(),
        _digest(second).hex(),
        _digest(first, label=1).hex(),
        _digest(first, raw=1.25).hex(),
    ]
    assert len(set(digests)) == 4
    merged = RunDigest()
    for part in (_digest(second), _digest(first)):
        merged.merge(part)
    both = _digest(first)
    both.merge(_digest(second))
    assert merged.hex() == both.hex()
    assert merged.hex().endswith("-12")
