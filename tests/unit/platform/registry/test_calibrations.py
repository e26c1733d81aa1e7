"""The order in which calibrations hold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetplatform.processing.calibration import calibrate
from fleetplatform.registry.calibrations import ALWAYS_US, NEVER_US, Calibrations

SENSORS = 4
ONE = st.tuples(st.integers(0, SENSORS - 1), st.sampled_from([ALWAYS_US, -5, 0, 10, 20]))


def extended(old: Calibrations, given_: list[tuple[int, int]], first: int) -> Calibrations:
    """With calibrations whose multiplier is their number."""
    numbers = np.arange(first, first + len(given_), dtype=np.float64)
    return old.extended(
        SENSORS,
        np.array([sensor for sensor, _ in given_], dtype=np.int32),
        np.array([from_us for _, from_us in given_], dtype=np.int64),
        numbers,
        -numbers,
    )


@given(st.lists(ONE, max_size=20), st.lists(ONE, max_size=20), st.integers(-10, 30))
def test_the_last_that_holds_is_in_force(first, second, now):
    calibrations = extended(extended(Calibrations.empty(), first, 2), second, 100)
    sensors = np.arange(SENSORS, dtype=np.int32)
    value, _ = calibrate(
        np.full(SENSORS, 7.0),
        sensors,
        np.full(SENSORS, now),
        calibrations.from_us,
        calibrations.multiplier,
        calibrations.offset,
    )
    numbered = [*enumerate(first, 2), *enumerate(second, 100)]
    for sensor in range(SENSORS):
        holding = [(t, n) for n, (s, t) in numbered if s == sensor and t <= now]
        expected = 7.0 if not holding else 7.0 * max(holding)[1] - max(holding)[1]
        assert value[sensor] == expected


def test_new_sensors_have_none_and_the_old_arrays_stay():
    old = extended(Calibrations.empty(), [(0, 5)], 2)
    none = np.zeros(0)
    new = old.extended(9, none.astype(np.int32), none.astype(np.int64), none, none)
    assert new.from_us.shape == (1, 9)
    assert (new.from_us[:, 4:] == NEVER_US).all()
    assert old.from_us.shape == (1, SENSORS)
