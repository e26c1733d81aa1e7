"""What the tests of the simulator share: plans made of the shipped device types."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetsim.load.profiles import steady
from fleetsim.settings import (
    DeviceTypeSettings,
    FleetOrganization,
    FleetPlan,
    FleetSettings,
    LoadSettings,
)

MakePlan = Callable[..., FleetPlan]

START_US = 1_780_272_000_000_000


@pytest.fixture(scope="session")
def device_types() -> dict[str, DeviceTypeSettings]:
    """The shipped device types, by name."""
    folder = Path(fleetconf.__file__).parent / "device_type"
    return {
        path.stem: convert(yaml.safe_load(path.read_text("utf-8")), DeviceTypeSettings)
        for path in folder.glob("*.yaml")
    }


@pytest.fixture(scope="session")
def make_plan(device_types: dict[str, DeviceTypeSettings]) -> MakePlan:
    """A plan of `devices` of a `mix`; keywords of FleetPlan and LoadSettings replace the rest."""

    def make(devices: int = 20, mix: dict[str, float] | None = None, **changes: Any) -> FleetPlan:
        fleet = FleetSettings(
            devices=devices,
            mix=mix or {"climate_v2": 0.5, "power_meter": 0.3, "thermometer": 0.2},
            shards=1,
            devices_per_shard=None,
            devices_per_gateway=1000,
            regions={},
        )
        load = LoadSettings(
            profile=changes.pop("profile", steady.Settings()),
            interval=changes.pop("interval", 10.0),
            rate=changes.pop("rate", None),
        )
        fields: dict[str, Any] = {
            "run_id": "t", "seed": 7, "start_us": START_US, "duration_s": 60.0,
            "transport": None, "device_types": device_types, "url": "",
            "organizations": (FleetOrganization(name="one", share=1.0, token=""),), "rules": (),
        }  # fmt: skip
        return FleetPlan(fleet=fleet, load=load, **fields | changes)

    return make
