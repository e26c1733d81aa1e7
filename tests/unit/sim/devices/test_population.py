"""Populations: the mix, calibrations, what a sensor sends."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.devices.mix import types_of_fleet
from fleetsim.devices.population import Population
from fleetsim.errors import PlanError
from fleetsim.settings import FleetPlan

MakePlan = Callable[..., FleetPlan]


@given(
    devices=st.integers(1, 3000), share=st.floats(0.01, 0.99), seed=st.integers(0, 2**64 - 1)
)
def test_the_mix_is_met_within_a_few_devices(
    make_plan: MakePlan, devices: int, share: float, seed: int
) -> None:
    plan = make_plan(devices, mix={"climate_v2": share, "power_meter": 1 - share}, seed=seed)
    assert abs((types_of_fleet(plan) == 0).sum() - share * devices) <= 5


@pytest.mark.parametrize("shards", [2, 4, 20])
def test_shards_together_are_the_fleet(make_plan: MakePlan, shards: int) -> None:
    plan = make_plan(20)
    whole = Population.of(plan, np.arange(20))
    parts = [Population.of(plan, part) for part in np.array_split(np.arange(20), shards)]
    for name in ("device_type", "sensor_ordinal", "multiplier", "offset", "draw_id", "resolution"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.array_equal(joined, getattr(whole, name)), name
    assert [serial for part in parts for serial in part.serial_numbers] == whole.serial_numbers
    assert {part.fleet_sensors for part in parts} == {whole.sensors}


def test_sensors_stand_by_device_and_place(make_plan: MakePlan) -> None:
    population = Population.of(make_plan(mix={"climate_v2": 1.0}), np.array([3, 11]))
    assert population.serial_numbers == ["t-d000003", "t-d000011"]
    assert population.sensor_device.tolist() == [0, 0, 0, 1, 1, 1]
    assert population.sensor_ordinal.tolist() == [0, 1, 2, 0, 1, 2]
    assert population.sensor_name == ["temperature", "humidity", "pressure"] * 2
    assert population.sensor_start.tolist() == [0, 3, 6]
    assert population.sensor_type.tolist() == [1, 2, 3, 1, 2, 3]


def test_a_device_is_enrolled_with_the_calibrations_it_has(make_plan: MakePlan) -> None:
    population = Population.of(make_plan(mix={"climate_v2": 1.0}), np.arange(4))
    devices = population.new_devices(["g0", "g0", "g1", "g1"])
    assert [device.gateway for device in devices] == ["g0", "g0", "g1", "g1"]
    assert {device.device_type for device in devices} == {"climate_v2"}
    (calibration,) = devices[2].calibrations
    assert calibration.sensor == "temperature"
    assert calibration.multiplier == population.multiplier[6] != 1
    assert calibration.offset == population.offset[6] != 0
    assert calibration.valid_from_us is None
    assert population.new_devices(devices=range(1, 3)) == [
        device.__class__(
            serial_number=device.serial_number,
            device_type=device.device_type,
            device_type_version="2.2",
            calibrations=device.calibrations,
        )
        for device in devices[1:3]
    ]


@given(value=st.floats(-40, 85))
def test_a_raw_value_is_a_decimal_of_the_resolution(make_plan: MakePlan, value: float) -> None:
    population = Population.of(make_plan(mix={"thermometer": 1.0}), np.arange(1))
    raw = population.as_sensed(np.zeros(1, np.int32), np.array([value]))[0]
    assert raw == float(f"{raw:.2f}")
    assert abs(raw - value) <= 0.005 + 1e-9
    assert not (raw == 0 and np.signbit(raw))


def test_calibration_undoes_what_the_sensor_does(make_plan: MakePlan) -> None:
    population = Population.of(make_plan(), np.arange(20))
    sensor = np.arange(population.sensors, dtype=np.int32)
    middle = (population.value_min + population.value_max) / 2
    raw = population.as_sensed(sensor, middle)
    step = population.resolution * np.maximum(population.multiplier, 1)
    assert (np.abs(population.calibrated(sensor, raw) - middle) <= step / 2 + 1e-9).all()


def test_what_cannot_be_simulated_is_named(make_plan: MakePlan) -> None:
    with pytest.raises(PlanError, match=r'"climate" is unknown; there are .*climate_v2'):
        Population.of(make_plan(mix={"climate": 1.0}), np.arange(1))
    with pytest.raises(PlanError, match="no device type with a weight above zero"):
        Population.of(make_plan(mix={"climate_v2": 0.0}), np.arange(1))
