"""The way out: every command ends with an exit code, every error is a sentence."""

import pytest

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
        ("bars", "verification.lost"),
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
