"""CPU time and memory of a run's processes, by the part that they belong to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import psutil

_ATTRIBUTES = ["pid", "ppid", "create_time", "cpu_times", "memory_info"]

Usage = tuple[dict[str, float], dict[str, int]]


class Processes:
    """Reads what parts have used since `start`.

    A part is a list of process ids. A process below one of them counts to it, unless it is listed
    itself or stands below another that is nearer; so PostgreSQL's backends count to PostgreSQL,
    and Ray's own processes to the driver. What an ended process had used stays counted.
    """

    def __init__(self) -> None:
        self._used: dict[tuple[int, float], tuple[str, float]] = {}
        self._before: dict[tuple[int, float], float] = {}

    def start(self, parts: Mapping[str, Sequence[int]]) -> None:
        """What was used until now does not count."""
        self.read(parts)
        self._before = {process: cpu_s for process, (_, cpu_s) in self._used.items()}

    def read(self, parts: Mapping[str, Sequence[int]]) -> Usage:
        """CPU seconds since `start` and resident bytes now, by part; blocks for some ms.

        Memory that a part's processes share (PostgreSQL's buffers) is counted once.
        """
        listed = {pid: part for part, pids in parts.items() for pid in pids}
        private: dict[str, int] = defaultdict(int)
        shared: dict[str, int] = defaultdict(int)
        for part, process, cpu_s, rss, common in _members(listed):
            self._used[process] = (part, cpu_s)
            private[part] += rss - common
            shared[part] = max(shared[part], common)
        cpu: dict[str, float] = dict.fromkeys(parts, 0.0)
        for process, (part, cpu_s) in self._used.items():
            cpu[part] = cpu.get(part, 0.0) + cpu_s - self._before.get(process, 0.0)
        return cpu, {part: private[part] + shared[part] for part in private}


def _members(
    listed: Mapping[int, str],
) -> Iterator[tuple[str, tuple[int, float], float, int, int]]:
    """Part, identity, CPU seconds, resident and shared bytes of each process of a part."""
    processes = {p.info["pid"]: p.info for p in psutil.process_iter(_ATTRIBUTES)}
    parents = {pid: info["ppid"] for pid, info in processes.items()}
    for pid, info in processes.items():
        part = next((listed[p] for p in _line(pid, parents) if p in listed), None)
        times, memory = info["cpu_times"], info["memory_info"]
        if part is not None and times is not None and memory is not None:
            identity = (pid, info["create_time"])
            shared = getattr(memory, "shared", 0)
            yield part, identity, times.user + times.system, memory.rss, shared


def _line(pid: int, parents: Mapping[int, int]) -> Iterable[int]:
    """A process and its ancestors, nearest first."""
    seen: set[int] = set()
    while pid and pid not in seen:
        seen.add(pid)
        yield pid
        pid = parents.get(pid, 0)
