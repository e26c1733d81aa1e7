"""The order in which calibrations hold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetplatform.processing.calibration import calibrate
from fleetplatform.registry.calibrations import ALWAYS_US, NEVER_US, Calibrations, Entered

SENSORS = 4
ONE = st.tuples(st.integers(0, SENSORS - 1), st.sampled_from([ALWAYS_US, -5, 0, 10, 20]))


def extended(old: Calibrations, given_: list[tuple[int, int]], first: int) -> Calibrations:
    """With calibrations whose multiplier is their number, due at 15 where that is odd."""
    numbers = np.arange(first, first + len(given_), dtype=np.float64)
    entered = Entered(
        sensor=np.array([sensor for sensor, _ in given_], dtype=np.int32),
        from_us=np.array([from_us for _, from_us in given_], dtype=np.int64),
        due_us=np.where(numbers % 2, 15, NEVER_US),
        multiplier=numbers,
        offset=-numbers,
        higher=np.zeros((len(given_), 4)),
    )
    return old.extended(SENSORS, entered)


@given(st.lists(ONE, max_size=20), st.lists(ONE, max_size=20), st.integers(-10, 30))
def test_the_last_that_holds_is_in_force(first, second, now):
    calibrations = extended(extended(Calibrations.empty(), first, 2), second, 100)
    sensors = np.arange(SENSORS, dtype=np.int32)
    value, raw, overdue = calibrate(
        np.full(SENSORS, 7.0), sensors, np.full(SENSORS, now), calibrations
    )
    numbered = [*enumerate(first, 2), *enumerate(second, 100)]
    for sensor in range(SENSORS):
        holding = [(t, n) for n, (s, t) in numbered if s == sensor and t <= now]
        number = max(holding)[1] if holding else None
        assert value[sensor] == (7.0 if number is None else 7.0 * number - number)
        assert np.isnan(raw[sensor]) == (number is None)
        assert overdue[sensor] == (number is not None and number % 2 == 1 and now >= 15)


def test_new_sensors_have_none_and_the_old_arrays_stay():
    old = extended(Calibrations.empty(), [(0, 5)], 2)
    none = np.zeros(0)
    nobody = Entered(
        none.astype(np.int32), none.astype(np.int64), none.astype(np.int64), none, none,
        np.zeros((0, 4)),
    )  # fmt: skip
    new = old.extended(9, nobody)
    assert new.newest.tolist() == [1, *[0] * 8]
    assert old.newest.tolist() == [1, 0, 0, 0]
    assert new.from_us.tolist() == [ALWAYS_US, 5]
