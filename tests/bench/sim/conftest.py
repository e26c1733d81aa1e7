"""Plans of thermometers from the shipped configuration, and a backend that costs little."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import fleetconf
from fleetconf import kinds
from fleetconf.convert import convert
from fleetsim.load.profiles import steady
from fleetsim.settings import (
    DeviceTypeSettings,
    FleetOrganization,
    FleetPlan,
    FleetSettings,
    LoadSettings,
)

_CONF = Path(fleetconf.__file__).parent


def _group(path: str) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((_CONF / path).read_text("utf-8"))
    return tree


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., FleetPlan]:
    """A plan for a transport, a number of devices and a rate of readings."""
    thermometer = convert(_group("device_type/thermometer.yaml"), DeviceTypeSettings)

    def make(transport: str, devices: int, rate: float, url: str = "") -> FleetPlan:
        tree = _group(f"transport/{transport}.yaml")
        del tree["kind"]
        kind = kinds.load("fleetsim.transport.kinds", transport)
        return FleetPlan(
            run_id="bench",
            seed=1,
            start_us=1_780_272_000_000_000,
            duration_s=60.0,
            fleet=FleetSettings(
                devices=devices,
                mix={"thermometer": 1.0},
                shards=1,
                devices_per_shard=None,
                devices_per_gateway=5000,
                regions={},
            ),
            load=LoadSettings(profile=steady.Settings(), interval=10.0, rate=rate),
            transport=convert(tree, kind.Settings),
            device_types={"thermometer": thermometer},
            url=url,
            organizations=(FleetOrganization(name="one", share=1.0, token="key"),),
            rules=(),
        )

    return make


@pytest.fixture
def sink_url() -> Iterator[str]:
    """A process that enrols and acknowledges everything at once."""
    script = Path(__file__).with_name("sink_server.py")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()
