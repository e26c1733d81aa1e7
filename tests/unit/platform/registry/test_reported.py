"""Readings of latitude and longitude become fixes: one for each device and time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplatform.registry.places.reported import pair
from fleetplatform.wire.device_type import SensorType

LATITUDE, LONGITUDE = int(SensorType.LATITUDE), int(SensorType.LONGITUDE)


@dataclass
class Directory:
    """Sensor s is part of device s // 4."""

    sensor_device: Any


def _pair(sensor: list[int], types: list[int], times: list[int], values: list[float] | None) -> Any:
    directory: Any = Directory(np.arange(400, dtype=np.int32) // 4)
    return pair(
        directory,
        np.array(sensor, dtype=np.int32),
        np.array(types, dtype=np.int16),
        np.array(times, dtype=np.int64),
        None if values is None else np.array(values),
    )


def test_a_batch_without_such_readings_has_no_fixes() -> None:
    assert _pair([0, 1], [1, 18], [5, 5], [20.0, 30.0]) is None
    assert _pair([], [], [], []) is None


def test_a_later_type_of_the_catalogue_is_no_place() -> None:
    assert _pair([0, 1], [LONGITUDE + 1, LONGITUDE + 9], [5, 5], [20.0, 30.0]) is None


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_halves_of_one_device_and_time_are_one_fix(order: list[int]) -> None:
    sensor, types = [4, 5, 6], [LATITUDE, 1, LONGITUDE]
    values = [52.5, 21.0, 13.4]
    fixes = _pair(
        [sensor[i] for i in order], [types[i] for i in order], [7] * 3, [values[i] for i in order]
    )
    assert (fixes.device.tolist(), fixes.measured_us.tolist()) == ([1], [7])
    assert (fixes.latitude.tolist(), fixes.longitude.tolist()) == ([52.5], [13.4])


def test_without_values_both_halves_are_unknown() -> None:
    fixes = _pair([0, 1], [LATITUDE, LONGITUDE], [7, 7], None)
    assert np.isnan(fixes.latitude).tolist() == np.isnan(fixes.longitude).tolist() == [True]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 11), st.sampled_from([1, LATITUDE, LONGITUDE]), st.integers(0, 3),
            st.floats(-90, 90),
        )
    )
)  # fmt: skip
def test_fixes_are_what_a_loop_over_the_readings_finds(readings: list[Any]) -> None:
    known: dict[tuple[int, int], list[float]] = {}
    for sensor, sensor_type, time, value in readings:
        if sensor_type != 1:
            fix = known.setdefault((sensor // 4, time), [np.nan, np.nan])
            if np.isnan(fix[sensor_type - LATITUDE]):
                fix[sensor_type - LATITUDE] = value
    columns = [list(column) for column in zip(*readings, strict=True)] if readings else [[]] * 4
    fixes = _pair(*columns)
    found = {} if fixes is None else {
        (device, time): [latitude, longitude]
        for device, time, latitude, longitude in zip(
            fixes.device.tolist(), fixes.measured_us.tolist(), fixes.latitude.tolist(),
            fixes.longitude.tolist(), strict=True,
        )
    }  # fmt: skip
    assert list(found) == sorted(known)
    for key, halves in known.items():
        np.testing.assert_array_equal(found[key], halves)
