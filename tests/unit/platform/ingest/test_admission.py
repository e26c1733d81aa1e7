"""Each reading is judged alone."""

import numpy as np

from fleetplatform.ingest.admission import Window, judge
from fleetplatform.ingest.submission import Submission, gather
from fleetplatform.registry.directory import Directory
from fleetplatform.wire.problems import Rejection

NOW = 1_000_000
WINDOW = Window(oldest_us=100, newest_us=10)


def directory() -> Directory:
    """Device 1 speaks for device 0, device 2 is another tenant's, device 3 may not speak."""
    made = Directory()
    high = np.arange(5, dtype=np.uint64)
    made._sensors = made._sensors.extended(high, high)
    made.sensor_device = np.array([0, 1, 2, 3, 1], dtype=np.int32)
    made.sensor_active = np.array([True, True, True, True, False])
    made.device_active = np.array([True, True, True, False])
    made.device_gateway = np.array([1, -1, -1, 1], dtype=np.int32)
    made.device_organization = np.array([0, 0, 1, 0], dtype=np.int32)
    made.organization_oldest_us = np.array([np.inf, np.inf])
    return made


def codes(*submissions: Submission) -> list[Rejection]:
    found = judge(gather(submissions, NOW), directory(), WINDOW, can_encrypt=True)
    return [Rejection(int(c)) for c in found]


def one(device: int, sensor: int, t_us: int = NOW, value: float = 1.0) -> Submission:
    return Submission(device, [sensor], [t_us], [value])


def test_a_device_speaks_for_itself_and_a_gateway_for_those_behind_it():
    assert codes(one(0, 0), one(1, 0), one(0, 1)) == [
        Rejection.ACCEPTED, Rejection.ACCEPTED, Rejection.NOT_YOUR_DEVICE,
    ]  # fmt: skip


def test_another_tenants_sensor_is_as_unknown_as_none():
    assert codes(one(0, -1), one(0, 2), one(2, 0)) == [Rejection.UNKNOWN_SENSOR] * 3


def test_the_window_includes_its_ends():
    times = [NOW - 101, NOW - 100, NOW + 10, NOW + 11]
    assert codes(*(one(0, 0, t) for t in times)) == [
        Rejection.OUT_OF_WINDOW, Rejection.ACCEPTED, Rejection.ACCEPTED, Rejection.OUT_OF_WINDOW,
    ]  # fmt: skip


def test_storage_days_bound_the_age_of_an_organizations_readings():
    made = directory()
    made.organization_oldest_us = np.array([50.0, np.inf])
    arrivals = gather([one(0, 0, NOW - 50), one(0, 0, NOW - 51), one(2, 2, NOW - 51)], NOW)
    found = judge(arrivals, made, WINDOW, can_encrypt=True)
    assert [Rejection(int(code)) for code in found] == [
        Rejection.ACCEPTED, Rejection.QUOTA_EXCEEDED, Rejection.ACCEPTED,
    ]  # fmt: skip


def test_a_sensitive_sensor_needs_a_key():
    """Sensor 4 is inactive too, and the first reason found counts."""
    made = directory()
    made.sensor_sensitive = np.array([True, False, True, False, True])
    arrivals = gather([one(0, 0), one(1, 1), one(1, 2), one(1, 4)], NOW)
    without = judge(arrivals, made, WINDOW, can_encrypt=False)
    assert [Rejection(int(code)) for code in without] == [
        Rejection.NO_KEY, Rejection.ACCEPTED, Rejection.UNKNOWN_SENSOR, Rejection.SENSOR_INACTIVE,
    ]  # fmt: skip
    assert judge(arrivals, made, WINDOW, can_encrypt=True)[0] == Rejection.ACCEPTED


def test_values_devices_and_sensors():
    assert codes(
        one(0, 0, NOW, np.nan), one(0, 0, NOW, np.inf), one(1, 3), one(1, 4)
    ) == [
        Rejection.NOT_A_NUMBER, Rejection.NOT_A_NUMBER,
        Rejection.DEVICE_INACTIVE, Rejection.SENSOR_INACTIVE,
    ]  # fmt: skip


def test_requests_of_all_kinds_are_gathered_in_order():
    mixed = gather(
        [
            Submission(0, [0, -1], [NOW, 0], [1.0, np.nan], None, (1,)),
            Submission(
                1, np.array([0], dtype=np.int32), np.array([NOW]), np.array([2.0]), ['{"a":1}']
            ),
            one(0, 0),
        ],
        NOW,
    )
    assert mixed.request.tolist() == [0, 0, 1, 2]
    assert mixed.device.tolist() == [0, 0, 1, 0]
    assert mixed.malformed.tolist() == [False, True, False, False]
    assert mixed.metadata is not None
    assert mixed.metadata.tolist() == [None, None, '{"a":1}', None]
    found = judge(mixed, directory(), WINDOW, can_encrypt=True)
    assert found.tolist() == [0, Rejection.MALFORMED, 0, 0]


def test_without_any_sensor_all_are_unknown():
    unknown = gather([Submission(0, [-1, -1], [1, 1], [1, 1])], NOW)
    found = judge(unknown, Directory(), WINDOW, can_encrypt=True)
    assert found.tolist() == [Rejection.UNKNOWN_SENSOR] * 2
