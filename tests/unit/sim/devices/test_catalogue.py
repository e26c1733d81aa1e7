"""One source: a shipped device type makes a fleet, and its specification takes what that sends."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fleetconf
from fleetplatform.processing.continuity import Continuity
from fleetplatform.processing.quality import Quality, Tolerances, judge_range
from fleetplatform.wire.specification import mistakes
from fleetsim.devices.population import Population
from fleetsim.settings import DeviceTypeSettings, FleetPlan
from fleetsim.signals import Sampler

NAMES = sorted(path.stem for path in (Path(fleetconf.__path__[0]) / "device_type").glob("*.yaml"))
MEASURING = [name for name in NAMES if name != "gateway"]
DEVICES = 200
HOURS = 400


def test_there_are_eight_kinds_at_least() -> None:
    assert len(MEASURING) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_specification_has_no_mistake_and_says_all_it_can(
    name: str, device_types: dict[str, DeviceTypeSettings]
) -> None:
    specification = device_types[name].specification
    assert list(mistakes(specification)) == []
    assert specification.name == name
    assert specification.commands
    assert specification.configuration["properties"]
    assert specification.firmware


@pytest.mark.parametrize("name", MEASURING)
def test_nominal_readings_of_a_year_are_within_range(
    name: str, make_plan: Callable[..., FleetPlan]
) -> None:
    """As the platform judges what it calibrated; every 22 hours, so at all times of the day."""
    plan = make_plan(DEVICES, mix={name: 1})
    population = Population.of(plan, np.arange(DEVICES))
    sampler, sensor = Sampler(plan, population), np.arange(population.sensors, dtype=np.int32)
    judged = 0
    for tick in range(HOURS):
        at = np.full(len(sensor), tick, dtype=np.int64)
        value = sampler.true_values(sensor, at, plan.start_us + at * 22 * 3_600_000_000)
        calibrated = population.calibrated(sensor, population.as_sensed(sensor, value))
        quality = judge_range(calibrated, population.value_min, population.value_max)
        assert [population.sensor_name[i] for i in np.flatnonzero(quality != Quality.VALID)] == []
        judged += len(quality)
    assert judged == DEVICES * HOURS * len(plan.device_types[name].specification.sensors)


@pytest.mark.parametrize("name", MEASURING)
@pytest.mark.parametrize("spacing_us", [500_000, 10_000_000, 30_000_000])
def test_nominal_readings_follow_one_another_as_they_should(
    name: str, spacing_us: int, make_plan: Callable[..., FleetPlan]
) -> None:
    """No rate, no flat line and no gap, however often the sensors are read."""
    plan = make_plan(40, mix={name: 1})
    population = Population.of(plan, np.arange(40))
    sampler, sensor = Sampler(plan, population), np.arange(population.sensors, dtype=np.int32)
    limits = _limits(plan, name)
    continuity = Continuity()
    continuity.reserve(population.sensors)
    for tick in range(150):
        at = np.full(len(sensor), tick, dtype=np.int64)
        measured_us = plan.start_us + at * spacing_us
        sent = population.as_sensed(sensor, sampler.true_values(sensor, at, measured_us))
        rows: Any = SimpleNamespace(
            sensor=sensor, measured_us=measured_us, value=population.calibrated(sensor, sent),
            raw=sent, quality=np.zeros(len(sensor), np.int16), received_us=int(measured_us[0]),
        )  # fmt: skip
        continuity.observe(rows, limits, Tolerances(5, 900_000_000, 60_000_000))
        assert [population.sensor_name[i] for i in np.flatnonzero(rows.quality)] == []


def _limits(plan: FleetPlan, name: str) -> Any:
    sensors = list(plan.device_types[name].specification.sensors.values()) * 40
    never = np.iinfo(np.int64).max
    return SimpleNamespace(
        interval_us=np.array([round(one.interval * 1e6) for one in sensors]),
        rate_max=np.array([one.rate_max or np.inf for one in sensors]),
        flat_after_us=np.array(
            [round(one.flat_after * 1e6) if one.flat_after else never for one in sensors]
        ),
    )
