"""From YAML and overrides to a RunConfig, and from mistakes to sentences."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleetsim.load.profiles import ramp
from fleetsim.signals.kinds import replay
from fleetstorm.config.compose import Composer, composer, scenario_files
from fleetstorm.errors import UsageError


@pytest.fixture
def compose() -> Iterator[Composer]:
    with composer() as made:
        yield made


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of scenarios of one's own, empty."""
    (tmp_path / "scenario").mkdir()
    return tmp_path


def _write(own: Path, stem: str, /, **keys: Any) -> Path:
    path = own / "scenario" / f"{stem}.yaml"
    path.write_text("# @package _global_\n" + yaml.safe_dump(keys, sort_keys=False))
    return path


@pytest.mark.parametrize("name", sorted(scenario_files()))
def test_every_shipped_scenario_is_valid(compose: Composer, name: str) -> None:
    config = compose.compose([f"scenario={name}"]).config
    assert (config.name, bool(config.description)) == (name, True)


@pytest.mark.parametrize("name", sorted(scenario_files()))
def test_the_printed_configuration_makes_the_same_run_again(own: Path, name: str) -> None:
    with composer() as compose:
        first = compose.compose([f"scenario={name}", "fleet.devices=77"])
    _write(own, "again", **yaml.safe_load(first.yaml))
    with composer(own) as again:
        assert again.compose(["scenario=again"]).config == first.config


def test_the_scenario_of_the_bar(compose: Composer) -> None:
    config = compose.compose(
        [
            "scenario=steady",
            "transport=http_arrow",
            "fleet.devices=25000",
            "load.rate=100000/s",
            "duration=60s",
            "fleet.devices_per_gateway=5000",
        ]
    ).config
    assert (config.fleet.devices, config.load.rate, config.duration) == (25_000, 100_000.0, 60.0)


def test_a_mix_replaces_the_one_before(compose: Composer) -> None:
    config = compose.compose(["scenario=steady", "fleet.mix={climate_v2: 1}"]).config
    assert config.fleet.mix == {"climate_v2": 1.0}


def test_one_weight_of_a_mix_is_changed_alone(compose: Composer) -> None:
    mix = compose.compose(["scenario=ramp", "fleet.mix.climate_v2=0.9"]).config.fleet.mix
    assert mix == {"thermometer": 0.7, "climate_v2": 0.9}


def test_a_profile_of_another_kind_replaces_all_keys(compose: Composer) -> None:
    profile = compose.compose(["scenario=ramp", "load.profile={kind: steady}"]).config.load.profile
    assert not isinstance(profile, ramp.Settings)


def test_a_bar_is_written_as_one_key_or_as_a_tree(compose: Composer) -> None:
    bars = compose.compose(["scenario=smoke", "bars.latency_ms.response.p99.max=2s"]).config.bars
    assert bars["latency_ms.response.p99"].max == "2s"
    assert bars["verification.lost"].max == 0


def test_a_scenario_of_ones_own_extends_a_shipped_one(own: Path) -> None:
    _write(
        own,
        "mine",
        defaults=["smoke", {"override /transport": "http_json"}, "_self_"],
        name="mine",
        fleet={"mix": {"power_meter": 1}, "devices": 3},
        timeline=[],
    )
    with composer(own) as compose:
        config = compose.compose(["scenario=mine"]).config
    assert (config.name, config.fleet.mix, config.fleet.devices) == ("mine", {"power_meter": 1}, 3)
    assert not config.transport.gateways


def test_a_recording_is_found_beside_the_file_that_names_it(own: Path) -> None:
    (own / "scenario" / "hot.csv").write_text("time,value\n0,50\n60,60\n")
    signal = {"kind": "replay", "path": "hot.csv", "repeat": True, "spread": "0s"}
    sensors = {"temperature": {"signal": signal}}
    device_type = {"thermometer": {"simulation": {"sensors": sensors}}}
    _write(own, "hot", name="hot", device_type=device_type)
    with composer(own) as compose:
        config = compose.compose(["scenario=hot"]).config
    found = config.device_type["thermometer"].simulation.sensors["temperature"].signal
    assert isinstance(found, replay.Settings)
    assert Path(found.path) == own / "scenario" / "hot.csv"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["fleet.devcies=5"], "fleet.devcies in the command line: unknown key; did you mean"),
        (["duration=10"], "duration in the command line: 10 has no unit; write a duration such as"),
        (["fleet.devices=-3"], "fleet.devices in the command line: -3 is negative"),
        (["fleet.devices=0"], "fleet.devices in the command line: 0 is out of range"),
        (["scenario=smok"], "there is no scenario smok; did you mean smoke?"),
        (["transport=mqqt"], "there is no transport mqqt; there are http_arrow, http_json"),
        (["bars.verification.lst.max=0"], "did you mean verification.lost?"),
        (["bars.load.stored.mx=0"], "unknown key; did you mean bars.load.stored.max?"),
        (["timeline=[{at: 1m, lod: {}}]"], "timeline[0].lod in the command line: unknown action"),
        (["timeline=[{at: 1m}]"], "timeline[0] in the command line: an entry has one action"),
        (["timeline=[{load: {rate: 1/s}}]"], "timeline[0].at in the command line: this key is"),
        (["timeline=[{at: 1s, load: {}}]"], "give it a rate, an interval or a profile"),
        (["load.profile=rmp"], '"rmp" is unknown; did you mean ramp? there are ramp, steady'),
        (["fleet.mix={thermometr: 1}"], "no device type thermometr; did you mean thermometer?"),
        (["fleet.mix={thermometer: 0}"], "no device type has a weight above 0"),
        (["load.rate=1M/s", "fleet.devices=1"], "a device makes 100000 at most"),
        (["scenario=smoke", "timeline=[{at: 1s, sensor_fault: {fault: stuck, sensor: x}}]"],
         "timeline[0] in the command line: sensor_fault stuck: the fleet has no"),
        (["seed=${vars.nowhere}"], "vars.nowhere"),
        (["prepare.alert_rules=[{name: a, conditions: {}, sensor_type: heat}]"],
         "there is no sensor type heat"),
        (["name=../a"], "name in the command line: it names a folder"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(compose: Composer, overrides: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        compose.compose(overrides)
    (sentence,) = str(caught.value).splitlines()
    assert said in sentence


def test_a_missing_recording_is_named_with_its_key(compose: Composer) -> None:
    key = "device_type.thermometer.simulation.sensors.temperature.signal.path"
    said = r"signal\.path in the command line: the recording .*mine\.csv"
    with pytest.raises(UsageError, match=said):
        compose.compose(["scenario=replay_recording", f"{key}=mine.csv"])


def test_a_mistake_in_a_file_names_the_file(own: Path) -> None:
    path = _write(own, "mine", name="mine", fleet={"devces": 3})
    with composer(own) as compose, pytest.raises(UsageError) as caught:
        compose.compose(["scenario=mine"])
    assert str(caught.value).startswith(f"fleet.devces in {path}: unknown key")


def test_a_file_that_is_no_yaml_names_file_and_line(own: Path) -> None:
    path = own / "scenario" / "bad.yaml"
    path.write_text("# @package _global_\nname: [\n")
    with composer(own) as compose, pytest.raises(UsageError) as caught:
        compose.compose(["scenario=bad"])
    assert str(caught.value).startswith(f"{path}, line 3 is not YAML")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"), composer(tmp_path / "nope"):
        pass


def test_every_run_of_a_sweep_is_checked_before_the_first(compose: Composer) -> None:
    with pytest.raises(UsageError, match="-2 is negative"):
        compose.sweep(["fleet.devices=1,-2"])
    runs = compose.sweep(["fleet.devices=1,2", "seed=3"])
    assert [(label, made.config.fleet.devices) for label, made in runs] == [
        ("fleet.devices=1", 1),
        ("fleet.devices=2", 2),
    ]
