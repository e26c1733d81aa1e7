"""A local Ray: gone with all its processes and files when it is stopped."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fleetstorm.stack.guard import Guard

START_AND_SAY = """
import os
from fleetstorm.stack import cluster
cluster.start_cluster(None, num_cpus=1)
print(cluster._folder, flush=True)
cluster.stop_cluster()
print(os.path.exists(cluster._folder or "/nonexistent"), flush=True)
"""


@pytest.mark.campaign
def test_a_stopped_cluster_leaves_neither_process_nor_folder(import_path: str) -> None:
    """In a process of its own: the session's Ray goes on."""
    done = subprocess.run(
        [sys.executable, "-c", START_AND_SAY],
        env={"PYTHONPATH": import_path, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    folder, left = done.stdout.split()
    assert left == "False"
    assert not Path(folder).exists()
    named = [p for p in psutil.process_iter() if folder in " ".join(_cmdline(p))]
    assert named == []


def test_a_guard_acts_when_its_process_dies_and_only_then(tmp_path: Path, import_path: str) -> None:
    marks = [tmp_path / name for name in ("died", "dismissed")]
    code = f"""
import os, signal
from fleetstorm.stack.guard import Guard
guards = [Guard('touch "$1"', path) for path in {[str(mark) for mark in marks]!r}]
guards[1].dismiss()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": import_path}, check=False)
    deadline = time.monotonic() + 10
    while not marks[0].exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not marks[1].exists()


def test_a_dismissed_guard_does_nothing(tmp_path: Path) -> None:
    guard = Guard('touch "$1"', str(tmp_path / "mark"))
    guard.dismiss()
    assert not (tmp_path / "mark").exists()


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
