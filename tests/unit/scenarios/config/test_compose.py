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


@pytest.mark.parametrize("name", ["smoke", "multi_tenant"])
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


def _rules(written: str) -> str:
    return f"prepare.alert_rules=[{written}]"


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
         "there is no sensor x; there are humidity, "),
        (["scenario=partition_rollover", "layout=single"], "the layout single has no partitions"),
        (["scenario=partition_rollover", "transport=null_sink"], "it needs the platform's"),
        (["scenario=missing_partition", "platform.url=http://x"], "give platform.database.url"),
        (["seed=${vars.nowhere}"], "vars.nowhere"),
        (["prepare.alert_rules=[{name: a, conditions: {threshold_low: 1}, sensor_type: heat}]"],
         "there is no sensor type heat"),
        (["name=../a"], "name in the command line: it names a folder"),
        ([_rules("{name: a, conditions: {}}")], "conditions in the command line: the rule has no"),
        ([_rules("{name: a, conditions: {threshold_hihg: 1}}")], "did you mean threshold_high?"),
        ([_rules("{name: a, conditions: {threshold_low: x}}")], '"x" is not a number'),
        ([_rules("{name: a, conditions: {threshold_low: true}}")], "true is not a number"),
        ([_rules("{name: a, conditions: {threshold_low: nan}}")], "nan is not a finite number"),
        ([_rules(f"{{name: a, conditions: {{threshold_low: {10**400}}}}}")], "not a finite number"),
        ([_rules("{name: a, severity: warnign, conditions: {threshold_low: 1}}")],
         "there is no severity warnign; did you mean warning?"),
        ([_rules("{name: a, conditions: {threshold_low: 1}}, {name: a, conditions: "
                 "{threshold_low: 2}}")], 'alert_rules[1].name in the command line: there are two'),
        (["timeline={at: 1s, load: {rate: 1/s}}"], "timeline in the command line: this is a map"),
        (["fleet=[1]"], "fleet in the command line: [1] is not a mapping"),
        (["timeline=[{at: 1m, load: {rate: 5/s}}]"],
         "timeline[0].at in the command line: load at 1m would never happen, for the load ends"),
        (["timeline=[{at: 1s, sensor_fault: {fault: stuck, sensor: temprature}}]"],
         "there is no sensor temprature; did you mean temperature?"),
        (["timeline=[{at: 1s, load: {rate: 0/s}}]"], "timeline[0].load.rate in the command line"),
        (["load.rate=0/s"], "load.rate in the command line: 0/s is out of range"),
        (["platform.port=65536"], "65536 is out of range; it must be at most 65535"),
        (["platform.database.url=mysql://a:b@h/d"], "it begins with mysql://; write postgresql://"),
        (["fleet.devices=11M"], "11000000 is out of range; it must be at most 10000000"),
        (["fleet.shards=101"], "101 shards cannot share 100 devices; it must be at most 100"),
        (["duration=0s"], "duration in the command line: 0s is out of range"),
        (["duration=367d"], "duration in the command line: 367d is out of range"),
        (["speed=1e9"], "speed in the command line: 1000000000.0 is out of range"),
        (["out=/dev/null/x"], 'out in the command line: "/dev/null" is a file, not a folder'),
        (["bars.latency_ms.response.p99.max=5q"],
         'bars.latency_ms.response.p99.max in the command line: "5q" is not a duration'),
        (["bars.generator.cpu_share.max=0.5"], "max in the command line: 0.5 has no unit"),
        (["~nope"], "~nope in the command line: it does not fit the configuration"),
        (["hydra.foo=1"], "hydra.foo=1 in the command line: unknown key hydra"),
        (["transport="], "transport=: a name is missing"),
        (["transport=http_json,http_arrow"], "several values make several runs; add --multirun"),
        (["scenario=it's"], "scenario=it's: the name of such a file is of letters"),
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


_HEAD = "# @package _global_\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: mine\n", "{path}: the file of a scenario must begin with the line `# @package"),
        ("", "{path}: the file of a scenario must begin with the line `# @package"),
        (f"{_HEAD}- 1\n", "{path}: this is no mapping"),
        (f"{_HEAD}name: a\nname: b\n", "{path}, line 3 is not YAML: the key name stands"),
        (f"{_HEAD}1: a\n", "1 in {path}: this key is not a text"),
        (f"{_HEAD}name: ${{vars.x\n", "name in {path}: a ${{…}} in it cannot be read"),
        (f"{_HEAD}name: ${{vars.x}}\n", "name in {path}: it takes its value from ${{vars.x}}, and"),
        (f"{_HEAD}timeline: {{at: 1s}}\n", "timeline in {path}: this is a mapping, not a list"),
        (f"{_HEAD}fleet: [1]\n", "fleet in {path}: [1] is not a mapping"),
        (f"{_HEAD}defaults: smoke\n", 'defaults in {path}: "smoke" is not a list'),
        (f"{_HEAD}defaults: [smok]\n", "defaults in {path}: there is no scenario smok; did you"),
        (f"{_HEAD}defaults: [mine]\n", "defaults in {path}: mine would extend itself"),
        (f"{_HEAD}defaults: [5]\n", "defaults in {path}: 5 is no entry such as smoke"),
        (f"{_HEAD}defaults: [{{override /transprot: x}}]\n", "did you mean transport?"),
        (f"{_HEAD}defaults: [{{/transport: http_json}}]\n", "write override /transport: http_json"),
    ],
)
def test_what_cannot_be_merged_names_its_file(own: Path, text: str, said: str) -> None:
    path = own / "scenario" / "mine.yaml"
    path.write_text(text)
    with composer(own) as compose, pytest.raises(UsageError) as caught:
        compose.compose(["scenario=mine"])
    (sentence,) = str(caught.value).splitlines()
    assert said.format(path=path) in sentence


def test_a_broken_neighbour_is_not_blamed(own: Path) -> None:
    _write(own, "mine", name="mine", fleet=[1])
    (own / "scenario" / "broken.yaml").write_text("name: [\n")
    with composer(own) as compose, pytest.raises(UsageError, match=r"fleet in .*mine\.yaml"):
        compose.compose(["scenario=mine"])
    with composer(own) as compose:
        assert compose.compose(["scenario=smoke"]).config.name == "smoke"


def test_a_fault_may_last_longer_than_the_run(compose: Composer) -> None:
    fault = "timeline=[{at: 1s, sensor_fault: {fault: stuck, for: 10h}}]"
    assert len(compose.compose([fault]).config.timeline) == 1


def test_a_bar_without_a_unit_is_in_its_metrics_unit(compose: Composer) -> None:
    bars = compose.compose(["bars.latency_ms.response.p99.max=500"]).config.bars
    assert bars["latency_ms.response.p99"].max == 500


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
