"""CPU time and memory of a run's processes, by the part that they belong to."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

_ATTRIBUTES = ["pid", "ppid", "create_time", "cpu_times", "memory_info"]

Usage = tuple[dict[str, float], dict[str, int]]
Identity = tuple[int, float]
"""A process id and when it began, for ids come back."""


@dataclass(frozen=True)
class _Process:
    """One process of a part, as it was when last seen; `reaped_s` is of its ended children."""

    part: str
    parent: Identity
    own_s: float
    reaped_s: float
    rss: int
    shared: int


class Processes:
    """Reads what parts have used since `start`.

    A part is a list of process ids. A process below one of them counts to it, unless it is listed
    itself or stands below another that is nearer; so PostgreSQL's backends count to PostgreSQL,
    and Ray's own processes to the driver. What an ended process had used stays counted: its parent
    in the same part tells it, or else what was seen last stands.
    """

    def __init__(self) -> None:
        self._seen: dict[Identity, _Process] = {}
        # Parents of other parts' processes: what their ended children used is not theirs.
        self._mixed: set[Identity] = set()
        self._before: dict[str, float] = {}

    def start(self, parts: Mapping[str, Sequence[int]]) -> None:
        """What was used until now does not count."""
        self._before = {}
        self._before = self.read(parts)[0]

    def read(self, parts: Mapping[str, Sequence[int]]) -> Usage:
        """CPU seconds since `start` and resident bytes now, by part; blocks for some ms.

        Memory that a part's processes share (PostgreSQL's buffers) is counted once.
        """
        listed = {pid: part for part, pids in parts.items() for pid in pids}
        running = self._look(listed)
        self._seen |= running
        cpu: dict[str, float] = dict.fromkeys(parts, 0.0)
        for identity, process in self._seen.items():
            used_s = self._used_s(identity, process, running)
            cpu[process.part] = cpu.get(process.part, 0.0) + used_s
        used = {part: cpu_s - self._before.get(part, 0.0) for part, cpu_s in cpu.items()}
        return used, _memory(running)

    def _look(self, listed: Mapping[int, str]) -> dict[Identity, _Process]:
        infos = {p.info["pid"]: p.info for p in psutil.process_iter(_ATTRIBUTES)}
        parents = {pid: info["ppid"] for pid, info in infos.items()}
        found: dict[Identity, _Process] = {}
        for pid, info in infos.items():
            part = next((listed[p] for p in _line(pid, parents) if p in listed), None)
            if part is not None and info["cpu_times"] is not None:
                found[_identity(info)] = _process(part, info, infos.get(info["ppid"], {}))
        for pid in listed:
            above = [_identity(infos[p]) for p in _line(parents.get(pid, 0), parents) if p in infos]
            self._mixed |= {i for i in above if i in found and found[i].part != listed[pid]}
        return found

    def _used_s(
        self, identity: Identity, process: _Process, running: Mapping[Identity, _Process]
    ) -> float:
        parent = running.get(process.parent)
        told_by_parent = parent is not None and process.parent not in self._mixed
        if identity not in running and told_by_parent:
            return 0.0
        return process.own_s + (0.0 if identity in self._mixed else process.reaped_s)


def _process(part: str, info: Mapping[str, object], parent: Mapping[str, object]) -> _Process:
    times, memory = info["cpu_times"], info["memory_info"]
    return _Process(
        part=part,
        parent=_identity(parent) if parent else (0, 0.0),
        own_s=getattr(times, "user", 0.0) + getattr(times, "system", 0.0),
        reaped_s=getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0),
        rss=getattr(memory, "rss", 0),
        shared=getattr(memory, "shared", 0),
    )


def _identity(info: Mapping[str, object]) -> Identity:
    return int(str(info["pid"])), float(str(info["create_time"]))


def _memory(running: Mapping[Identity, _Process]) -> dict[str, int]:
    private: dict[str, int] = defaultdict(int)
    shared: dict[str, int] = defaultdict(int)
    for process in running.values():
        private[process.part] += process.rss - process.shared
        shared[process.part] = max(shared[process.part], process.shared)
    return {part: private[part] + shared[part] for part in private}


def _line(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    """A process and its ancestors, nearest first."""
    seen: set[int] = set()
    while pid and pid not in seen:
        seen.add(pid)
        yield pid
        pid = parents.get(pid, 0)
