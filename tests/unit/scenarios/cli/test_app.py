"""The way out: every command ends with an exit code, every error is a sentence."""

from pathlib import Path

import pytest
import yaml

from fleetstorm.catalogue import SORTS
from fleetstorm.cli.app import run_command


def test_help_shows_commands_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--help"]) == 0
    said = capsys.readouterr().out
    for word in ("run", "serve", "validate", "list", "report", "doctor", "--debug"):
        assert word in said
    assert "fleetstorm run scenario=smoke" in said
    assert "Exit codes: 0 pass" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], 'Unknown command "rnu". Did you mean "run"?'),
        (["run", "--foo"], "--foo"),
        (["run", "--cfg", "jobs"], "jobs"),
        (["validate", "scenario=smok"], "did you mean smoke?"),
        (["validate", "fleet.devices=-1"], "fleet.devices in the command line: -1 is negative"),
        (["list", "layuts"], "did you mean layouts?"),
        (["list", "bars"], "write fleetstorm list metrics"),
        (["report"], "report needs a results folder"),
        (["report", "nowhere"], "nowhere is no results folder"),
        (["serve", "platform.url=http://h:1"], "there is none to serve"),
        (["run", "--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(words) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("fleetstorm: ")
    assert said in sentence


def test_debug_shows_where_an_error_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--debug", "validate", "scenario=smok"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_flags_may_stand_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "fleet.devices=7", "--cfg", "job", "scenario=smoke", "seed=3"]
    assert run_command(words) == 0
    said = capsys.readouterr().out
    assert "devices: 7\n" in said
    assert "seed: 3\n" in said


def test_validate_says_what_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["validate", "scenario=steady", "duration=2m"]) == 0
    said = "steady is valid: 5,000 devices, readings 20k/s in all, for 2m"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sort", "name"),
    [
        ("scenarios", "smoke"),
        ("actions", "sensor_fault"),
        ("signals", "replay"),
        ("faults", "stuck"),
        ("profiles", "ramp"),
        ("transports", "http_arrow"),
        ("engines", "stream"),
        ("layouts", "monthly_list"),
        ("device_types", "climate_v2"),
        ("conditions", "threshold_high"),
        ("metrics", "latency_ms.response.p99"),
    ],
)
def test_everything_listed_has_a_name_and_a_sentence(
    sort: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["list", sort]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = {words[0]: words[1:] for line in lines if (words := line.split(maxsplit=1))}
    assert name in found
    assert [one for one, sentence in found.items() if not sentence] == []


def test_list_alone_prints_every_sort_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["list"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == list(SORTS)
    assert {len(line) for line in lines} == {2}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scenario=ramp"], "readings at the peak 40k/s in all (ramp), for 1m"),
        (["scenario=smoke"], "readings one every 500ms a sensor until the timeline changes it"),
        (["duration=1333300us"], "for 1.33s, 0 entries in the timeline, 0 bars."),
    ],
)
def test_validate_describes_the_load(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["validate", *words]) == 0
    assert said in capsys.readouterr().out


def test_cfg_of_a_sweep_prints_every_run_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = ["platform.token=sesame", "platform.database.url=postgresql://u:hidden@h/d"]
    assert run_command(["run", "--multirun", "--cfg", "job", "seed=1,2", *secret]) == 0
    said = capsys.readouterr().out
    runs = list(yaml.safe_load_all(said))
    assert [run["seed"] for run in runs] == [1, 2]
    assert {run["platform"]["token"] for run in runs} == {"***"}
    assert "hidden" not in said
    assert run_command(["run", "--cfg", "job", *secret]) == 0
    said = capsys.readouterr().out
    assert ("hidden" in said, "sesame" in said, "u:***@h/d" in said) == (False, False, True)


def test_a_command_has_examples_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "serve", "validate", "list", "report"):
        assert run_command([command, "--help"]) == 0
        said = capsys.readouterr().out
        examples = [line.split() for line in said.splitlines() if line.startswith("    fleetstorm")]
        assert {words[1] for words in examples} == {command}


def test_list_says_which_scenario_cannot_be_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scenario").mkdir()
    (tmp_path / "scenario" / "it's.yaml").write_text("# @package _global_\nname: a\n")
    own = ["--config-dir", str(tmp_path)]
    assert run_command(["list", "scenarios", *own]) == 0
    assert "rename the file" in capsys.readouterr().out
    assert run_command(["validate", "scenario=it's", *own]) == 2
    assert "rename the file" in capsys.readouterr().err
