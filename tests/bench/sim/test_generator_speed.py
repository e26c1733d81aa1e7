"""How many readings a second one core makes: schedule, signals, faults, quantisation."""

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetsim.devices.population import Population
from fleetsim.draws import normal, uniform
from fleetsim.faults import FaultSet, SensorFault
from fleetsim.faults.kinds import spike, stuck
from fleetsim.load.profiles import steady
from fleetsim.load.schedule import Schedule
from fleetsim.settings import (
    DeviceTypeSettings,
    FleetOrganization,
    FleetPlan,
    FleetSettings,
    LoadSettings,
)
from fleetsim.signals import Sampler

pytestmark = pytest.mark.bench

START_US = 1_780_000_000_000_000
SLOT_US = 200_000


def _device_type(name: str) -> DeviceTypeSettings:
    path = Path(fleetconf.__file__).parent / "device_type" / f"{name}.yaml"
    return convert(yaml.safe_load(path.read_text("utf-8")), DeviceTypeSettings)


def _plan(devices: int, mix: dict[str, float], **load: Any) -> FleetPlan:
    return FleetPlan(
        run_id="bench", seed=1, start_us=START_US, duration_s=60.0,
        fleet=FleetSettings(
            devices=devices, mix=mix, shards=1, devices_per_shard=None,
            devices_per_gateway=1000, regions={},
        ),
        load=LoadSettings(profile=steady.Settings(), **load),
        transport=None, device_types={name: _device_type(name) for name in mix},
        url="", organizations=(FleetOrganization(name="one", share=1.0, token=""),), rules=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "devices", "mix", "load", "groups"),
    [
        ("25,000 thermometers, 100 k/s", 25_000, {"thermometer": 1.0},
         {"interval": 10.0, "rate": 100_000.0}, 5),
        ("25,000 thermometers, 20 k/s", 25_000, {"thermometer": 1.0},
         {"interval": 10.0, "rate": 20_000.0}, 1),
        ("100,000 mixed devices every 10 s", 100_000, {"climate_v2": 0.7, "power_meter": 0.3},
         {"interval": 10.0, "rate": None}, 1),
        ("100,000 mixed devices in 100 groups", 100_000, {"climate_v2": 0.7, "power_meter": 0.3},
         {"interval": 10.0, "rate": None}, 100),
        ("100 thermometers every 10 ms", 100, {"thermometer": 1.0},
         {"interval": 0.01, "rate": None}, 1),
    ],
)  # fmt: skip
def test_readings_a_second_of_one_shard(
    name: str, devices: int, mix: dict[str, float], load: dict[str, Any], groups: int
) -> None:
    plan = _plan(devices, mix, **load)
    began = time.perf_counter()
    population = Population.of(plan, np.arange(devices, dtype=np.int64))
    schedule, sampler = Schedule(plan, population), Sampler(plan, population)
    faults = FaultSet(plan, population, schedule, sampler)
    never = START_US + 3_600_000_000
    faults.add(SensorFault(stuck.Settings(), START_US + 2_000_000, never, 0, share=0.01))
    spikes = spike.Settings(magnitude=20.0, probability=0.1)
    faults.add(SensorFault(spikes, START_US + 2_000_000, never, 1, share=0.05))
    built_s = time.perf_counter() - began
    cuts = np.linspace(0, population.sensors, groups + 1).astype(int)
    made, began = 0, time.perf_counter()
    at_us = START_US
    while time.perf_counter() - began < 1.5:
        due = schedule.due(at_us, at_us + SLOT_US)
        at_us += SLOT_US
        edges = np.searchsorted(due.sensor, cuts)
        for start, stop in pairwise(edges.tolist()):
            rows = (due.sensor[start:stop], due.tick[start:stop], due.t_us[start:stop])
            value, _, _ = faults.apply(*rows, sampler.true_values(*rows))
            made += len(population.as_sensed(rows[0], value))
    elapsed_s = time.perf_counter() - began
    virtual_s = (at_us - START_US) / 1e6
    print(
        f"\n{name}: {made / elapsed_s:,.0f} readings/s on one core"
        f" ({made / virtual_s:,.0f}/s planned, shard built in {built_s:.2f} s)"
    )


def test_draws_a_second() -> None:
    ids = np.arange(1_000_000, dtype=np.int64)
    for draw in (uniform, normal):
        began = time.perf_counter()
        draw(1, 3072, ids, 7)
        print(f"\n{draw.__name__}: {1e6 / (time.perf_counter() - began):,.0f} draws/s")
