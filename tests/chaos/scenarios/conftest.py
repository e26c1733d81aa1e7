"""Runs of the program that are broken on purpose, from outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

POLL_S = 0.05
RUN_TIMEOUT_S = 240.0


class Run:
    """`fleetstorm run` as a user starts it: a process of its own, results in a folder."""

    def __init__(self, out: Path, *overrides: str) -> None:
        self.out = out
        self._log = (out.parent / f"{out.name}.log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fleetstorm", "run", *overrides, f"out={out}"],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "200"},
        )

    def events(self) -> list[dict[str, Any]]:
        """The journal so far."""
        path = self.out / "events.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def said(self) -> str:
        """What the program printed."""
        return Path(self._log.name).read_text(errors="replace")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; the run must not end before."""
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while not condition():
            assert self.process.poll() is None, f"the run ended before {what}:\n{self.said()}"
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.said()}"
            await asyncio.sleep(POLL_S)

    async def until_storm(self) -> None:
        """Wait until readings are on their way."""
        await self.until(lambda: "storm" in self.said(), "the storm")

    def family(self) -> list[psutil.Process]:
        """All processes below the program."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def pid_of(self, part: str) -> int:
        """The process of a part, from the journal."""
        details = [
            e["detail"]
            for e in self.events()
            if e.get("part") == part and e["kind"] in ("part_started", "part_restarted")
        ]
        return int(details[-1].removeprefix("pid "))

    async def end(self) -> int:
        """The exit code, when the run has ended."""
        return await asyncio.to_thread(self.process.wait, RUN_TIMEOUT_S)

    def summary(self) -> dict[str, Any]:
        """summary.json."""
        found: dict[str, Any] = json.loads((self.out / "summary.json").read_text())
        return found

    def close(self) -> None:
        """End the run, if it has not ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._log.close()


StartRun = Callable[..., Run]
NothingLeft = Callable[[list[psutil.Process]], Awaitable[None]]


@pytest.fixture
def start_run(tmp_path: Path) -> Iterator[StartRun]:
    """Start runs with overrides; what still runs at the end of the test is ended."""
    runs: list[Run] = []

    def start(*overrides: str) -> Run:
        runs.append(Run(tmp_path / f"run {len(runs)}", *overrides))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def nothing_left() -> NothingLeft:
    """Wait until none of some processes runs any more."""

    async def check(processes: list[psutil.Process]) -> None:
        deadline = time.monotonic() + 10
        while left := [p for p in processes if _runs(p)]:
            assert time.monotonic() < deadline, f"still running: {left}"
            await asyncio.sleep(POLL_S)

    return check


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
