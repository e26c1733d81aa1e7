"""Bad input: one clear sentence, exit code 2 or 5, nothing left running."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Ended, Fleetstorm, need

LONG = pytest.mark.campaign


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def _check(ended: Ended, code: int, said: str) -> None:
    """One sentence that has these words, no traceback, and no child of ours left."""
    assert ended.code == code, ended
    sentences = [line for line in ended.err.splitlines() if line.startswith("fleetstorm: ")]
    assert len(sentences) == 1, ended.err
    assert said in sentences[0]
    assert "Traceback" not in ended.err
    assert ended.left == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("fleet.devcies=5", "did you mean fleet.devices?"),
        pytest.param("duration=10", "10 has no unit; write a duration", marks=LONG),
        pytest.param("fleet.devices=-3", "-3 is negative", marks=LONG),
        ("device_type.thermometer.simulation.sensors.temperature.signal="
         "{kind: replay, path: nope.csv, repeat: true, spread: 0s}", "nope.csv cannot be read"),
        ("prepare.alert_rules=[{name: a, conditions: {threshold_hihg: 3}}]",
         "did you mean threshold_high?"),
        pytest.param(
            "timeline={at: 1s, load: {rate: 5/s}}", "this is a mapping, not a list", marks=LONG
        ),
        pytest.param("platform.port=70000", "70000 is out of range", marks=LONG),
        ("out=/dev/null/here", '"/dev/null" is a file, not a folder'),
    ],
)  # fmt: skip
def test_a_wrong_configuration(fleetstorm: Fleetstorm, override: str, said: str) -> None:
    _check(fleetstorm("run", "scenario=smoke", override), 2, said)


@pytest.mark.campaign
def test_a_database_that_cannot_be_reached(fleetstorm: Fleetstorm) -> None:
    url = "postgresql://me:secret@127.0.0.1:9/db"
    ended = fleetstorm("run", "scenario=smoke", f"platform.database.url={url}")
    _check(ended, 5, "127.0.0.1:9 does not answer")
    assert "secret" not in ended.err


def test_a_port_that_is_taken(fleetstorm: Fleetstorm, taken_port: int) -> None:
    ended = fleetstorm("run", "scenario=smoke", f"platform.port={taken_port}")
    _check(ended, 5, f"port {taken_port} on 127.0.0.1 is taken")


@pytest.mark.campaign
def test_a_platform_that_is_not_there(fleetstorm: Fleetstorm) -> None:
    words = ("platform.url=http://127.0.0.1:9", "platform.token=x", "verify=false")
    _check(fleetstorm("run", "scenario=smoke", *words), 5, "http://127.0.0.1:9 does not answer")


def test_a_platform_without_its_token(fleetstorm: Fleetstorm) -> None:
    ended = fleetstorm("run", "scenario=smoke", "platform.url=http://127.0.0.1:9")
    _check(ended, 2, "platform.token is needed")


def test_a_disk_that_takes_nothing(fleetstorm: Fleetstorm) -> None:
    _check(fleetstorm("run", "scenario=smoke", "out=/proc/here"), 5, "/proc/here cannot be written")


def test_a_folder_that_has_something_in_it(fleetstorm: Fleetstorm, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine").touch()
    _check(fleetstorm("run", "scenario=smoke", "out=here"), 2, "here is not empty")


def test_a_folder_without_permission(fleetstorm: Fleetstorm, tmp_path: Path) -> None:
    """Root may write everywhere, unless it is started without that right."""
    (tmp_path / "closed").mkdir(mode=0o500)
    unprivileged = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    by = unprivileged if os.geteuid() == 0 else ()
    if by:
        need(shutil.which("setpriv"), "setpriv")
    ended = fleetstorm("run", "scenario=smoke", "out=closed/here", by=by)
    _check(ended, 5, "closed/here cannot be written: Permission denied")
