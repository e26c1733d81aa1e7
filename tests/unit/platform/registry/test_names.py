"""Which of its sensors a device means by a name."""

from fleetplatform.registry.names import SensorNames


def test_devices_know_their_own_sensors_by_name():
    names = SensorNames()
    names.add(3, [0, 0, 2, 2], [0, 1, 2, 3], ["a", "b", "a", "b"])
    assert names.find(0, ["b", "a", "c"]) == [1, 0, -1]
    assert names.find(1, ["a"]) == [-1]
    assert names.find(2, ["a", "b"]) == [2, 3]


def test_a_device_may_gain_a_sensor_later():
    names = SensorNames()
    names.add(2, [0, 1], [0, 1], ["a", "a"])
    names.add(2, [0], [7], ["b"])
    assert names.find(0, ["a", "b"]) == [0, 7]
    assert names.find(1, ["a", "b"]) == [1, -1]
