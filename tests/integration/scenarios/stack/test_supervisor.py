"""The supervisor, on small real processes."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fleetstorm.errors import InfrastructureError, PartDiedError, UsageError
from fleetstorm.stack.part import RESTARTS_MAX
from fleetstorm.stack.process import Process
from fleetstorm.stack.supervisor import Supervisor

from .conftest import Eventually

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('up', flush=True)
time.sleep(600)
"""


def python(name: str, code: str, folder: Path, **rest: object) -> Process:
    log = folder / f"{name}.log"

    async def ready(_pid: int) -> bool:
        return log.exists() and "up" in log.read_text()

    rest.setdefault("ready", ready)
    argv = (sys.executable, "-c", code)
    return Process(name=name, argv=argv, log_path=log, cwd=folder, **rest)  # type: ignore[arg-type]


async def test_a_part_runs_in_a_session_of_its_own_so_ctrl_c_reaches_the_driver_alone(
    supervisor: Supervisor, folder: Path
) -> None:
    part = await supervisor.start(python("sleeper", SLEEPER, folder))
    assert part.pid is not None
    fields = Path(f"/proc/{part.pid}/stat").read_text().rsplit(")", 1)[1].split()
    assert str(part.pid) == fields[3]


async def test_a_part_that_dies_before_it_is_ready_is_named_with_exit_code_and_last_words(
    supervisor: Supervisor, folder: Path
) -> None:
    code = "import sys; print('the disk is full', flush=True); sys.exit(7)"
    with pytest.raises(PartDiedError, match=r"early ended with exit code 7.*the disk is full"):
        await supervisor.start(python("early", code, folder))
    assert supervisor.parts == ()


async def test_a_part_that_never_gets_ready_is_killed_at_the_deadline(
    supervisor: Supervisor, folder: Path
) -> None:
    pids: list[int] = []

    async def never(pid: int) -> bool:
        pids.append(pid)
        return False

    process = python("slow", SLEEPER, folder, ready=never, ready_timeout_s=0.3)
    with pytest.raises(InfrastructureError, match=r"slow was not ready within 0\.3 s"):
        await supervisor.start(process)
    assert not psutil.pid_exists(pids[0])


async def test_a_program_that_is_not_there_is_one_clear_sentence(
    supervisor: Supervisor, folder: Path
) -> None:
    process = Process(
        name="ghost", argv=("/no/such/program",), log_path=folder / "ghost.log", cwd=folder
    )
    with pytest.raises(InfrastructureError, match="ghost could not be started"):
        await supervisor.start(process)


async def test_a_start_that_fails_for_a_passing_reason_is_tried_again(
    supervisor: Supervisor, folder: Path
) -> None:
    code = (
        "import pathlib, sys, time; p = pathlib.Path('tried'); n = p.exists(); p.touch();\n"
        "if not n: print('still in use', flush=True); sys.exit(1)\n" + SLEEPER
    )
    part = await supervisor.start(python("late", code, folder, transient=("still in use",)))
    assert part.ready


async def test_a_killed_part_is_gone_at_once_and_comes_back(
    supervisor: Supervisor, folder: Path, events: list[tuple[str, str, str]]
) -> None:
    part = await supervisor.start(python("phoenix", SLEEPER, folder, restart=True))
    old = await part.kill()
    assert not psutil.pid_exists(old)
    await part.wait_ready(10.0)
    assert part.pid not in (None, old)
    assert [what for _, what, _ in events] == ["started", "killed", "died", "restarted"]


async def test_being_killed_on_purpose_never_uses_up_the_restarts(
    supervisor: Supervisor, folder: Path
) -> None:
    part = await supervisor.start(python("cat", SLEEPER, folder, restart=True))
    for _ in range(RESTARTS_MAX + 2):
        await part.kill()
        await part.wait_ready(10.0)
    assert part.alive


async def test_a_part_that_keeps_dying_is_given_up(
    supervisor: Supervisor,
    folder: Path,
    events: list[tuple[str, str, str]],
    eventually: Eventually,
) -> None:
    code = """
import pathlib
print('up', flush=True)
while not pathlib.Path('go').exists():
    pass
"""
    part = await supervisor.start(python("mayfly", code, folder, restart=True))
    (folder / "go").touch()
    await eventually(lambda: events[-1][1] == "given_up", 20.0)
    with pytest.raises(InfrastructureError, match="mayfly was not back"):
        await part.wait_ready(0.1)


async def test_a_part_without_restart_stays_down_and_its_death_is_told(
    supervisor: Supervisor,
    folder: Path,
    events: list[tuple[str, str, str]],
    eventually: Eventually,
) -> None:
    part = await supervisor.start(python("once", SLEEPER, folder))
    assert part.pid is not None
    psutil.Process(part.pid).terminate()
    await eventually(lambda: not part.alive and events[-1][1] == "died", 10.0)
    assert events[-1][2].startswith(f"exit code {-signal.SIGTERM}")
    with pytest.raises(InfrastructureError, match="cannot pause once: it is not running"):
        await part.pause()
    await part.restart()
    assert part.ready


async def test_pause_stops_the_whole_family_and_resume_continues_it(
    supervisor: Supervisor, folder: Path, eventually: Eventually
) -> None:
    part = await supervisor.start(python("parent", PARENT, folder, ready=None))
    assert part.pid is not None
    head = psutil.Process(part.pid)
    await eventually(lambda: len(head.children()) == 1, 10.0)
    family = [head, *head.children()]
    await part.pause()
    await eventually(lambda: all(p.status() == psutil.STATUS_STOPPED for p in family), 5.0)
    await part.resume()
    await eventually(lambda: all(p.status() != psutil.STATUS_STOPPED for p in family), 5.0)


async def test_stopping_leaves_no_descendant_even_of_a_paused_or_deaf_part(
    folder: Path, eventually: Eventually
) -> None:
    async with Supervisor() as supervisor:
        deaf = python("deaf", DEAF, folder, stop_timeout_s=0.2)
        parts = [
            await supervisor.start(python("parent", PARENT, folder, ready=None)),
            await supervisor.start(deaf),
        ]
        heads = [psutil.Process(part.pid) for part in parts]
        await eventually(lambda: len(heads[0].children()) == 1, 10.0)
        family = [*heads, *heads[0].children()]
        await parts[0].pause()
    await eventually(lambda: not any(p.is_running() for p in family), 5.0)


async def test_parts_stop_in_reverse_order(
    folder: Path, events: list[tuple[str, str, str]]
) -> None:
    async with Supervisor(lambda *event: events.append(event)) as supervisor:
        for name in ("first", "second", "third"):
            await supervisor.start(python(name, SLEEPER, folder))
    stopped = [name for name, what, _ in events if what == "stopped"]
    assert stopped == ["third", "second", "first"]


async def test_an_unknown_part_is_an_error_that_names_the_known(
    supervisor: Supervisor, folder: Path
) -> None:
    await supervisor.start(python("known", SLEEPER, folder))
    with pytest.raises(UsageError, match=r"no part 'unknown'.*known"):
        supervisor.part("unknown")


async def test_cancelling_a_start_leaves_no_process(
    supervisor: Supervisor, folder: Path, eventually: Eventually
) -> None:
    pids: list[int] = []

    async def never(pid: int) -> bool:
        pids.append(pid)
        return False

    starting = asyncio.create_task(supervisor.start(python("slow", SLEEPER, folder, ready=never)))
    await eventually(lambda: bool(pids), 10.0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not psutil.pid_exists(pids[0])


@pytest.mark.parametrize("paused", [False, True])
async def test_a_killed_driver_leaves_no_process_behind(
    folder: Path, import_path: str, eventually: Eventually, paused: bool
) -> None:
    """Also when the part is paused, and so cannot notice anything by itself."""
    code = f"""
import asyncio, sys
from pathlib import Path
from fleetstorm.stack.supervisor import Process, Supervisor
async def main():
    async with Supervisor() as supervisor:
        argv = (sys.executable, "-c", {SLEEPER!r})
        folder = Path({str(folder)!r})
        part = await supervisor.start(
            Process(name="child", argv=argv, log_path=folder / "child.log", cwd=folder))
        if {paused}:
            await part.pause()
        print(part.pid, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
    command, environment = [sys.executable, "-c", code], {"PYTHONPATH": import_path}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as driver:
        assert driver.stdout is not None
        child = psutil.Process(int(driver.stdout.readline()))
        assert child.is_running()
        driver.kill()
        started = time.monotonic()
        await eventually(lambda: not _runs(child), 5.0)
        assert time.monotonic() - started < 5.0


def _runs(process: psutil.Process) -> bool:
    """Whether it exists and is no zombie that waits for whoever inherited it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
