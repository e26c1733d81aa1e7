"""The program, started as a user starts it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

TIMEOUT_S = 180.0


@dataclass
class Ended:
    """How a command ended and what it said; `left`: processes that outlived it."""

    code: int
    out: str
    err: str
    took_s: float
    left: list[psutil.Process]


Fleetstorm = Callable[..., Ended]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def fleetstorm(tmp_path: Path) -> Fleetstorm:
    """Run a command to its end, in an empty folder; `by` is a program to start it through."""

    def run(*words: str, by: tuple[str, ...] = ()) -> Ended:
        began, before = time.monotonic(), psutil.Process().children()
        done = subprocess.run(
            [*by, sys.executable, "-m", "fleetstorm", *words],
            cwd=tmp_path,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        took_s = time.monotonic() - began
        left = [one for one in psutil.Process().children() if one not in before]
        return Ended(done.returncode, done.stdout, done.stderr, took_s, left)

    return run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command in a process group of its own, as a shell does; its output in `said`."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "fleetstorm", *words],
                cwd=tmp_path,
                env=_environment(),
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.fixture
def family() -> Callable[[int], list[psutil.Process]]:
    """All processes below one, as they are now."""

    def below(pid: int) -> list[psutil.Process]:
        return psutil.Process(pid).children(recursive=True)

    return below


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object], float], None]:
    """Wait for a condition, within a deadline in seconds."""

    def wait(condition: Callable[[], object], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true in time"
            time.sleep(0.05)

    return wait


def need(found: object, what: str) -> None:
    """Skip the test on a machine without an external part; with CI=true that is a failure."""
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is not on this machine")


def _environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "200"}
