"""Keeps the processes of a run: starts them in order, watches them, stops them in reverse order."""

from __future__ import annotations

from types import TracebackType

from fleetstorm.errors import InfrastructureError, UsageError
from fleetstorm.stack.part import OnEvent, Part
from fleetstorm.stack.process import Process

__all__ = ["OnEvent", "Part", "Process", "Supervisor"]


def _ignore(name: str, what: str, detail: str) -> None:
    """Where events go when nobody asked for them."""


class Supervisor:
    """The running parts of one run, by name.

    Used as an asynchronous context manager: leaving it, for whatever reason, stops every part.
    `on_event` is told of every start, death, restart and stop.
    """

    def __init__(self, on_event: OnEvent = _ignore) -> None:
        self._on_event = on_event
        self._parts: dict[str, Part] = {}

    async def __aenter__(self) -> Supervisor:
        """Nothing runs yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything, the last part first."""
        await self.stop()

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every part, in the order in which they were started."""
        return tuple(self._parts.values())

    def part(self, name: str) -> Part:
        """The handle on a part; raises UsageError, naming those there are, when there is none."""
        try:
            return self._parts[name]
        except KeyError:
            known = ", ".join(self._parts) or "none"
            raise UsageError(f"there is no part {name!r} in this run; there are: {known}") from None

    async def start(self, process: Process) -> Part:
        """Start a process and wait until it is ready; raises InfrastructureError."""
        if process.name in self._parts:
            raise InfrastructureError(f"{process.name} was started already in this run")
        part = Part(process, self._on_event)
        await part.start()
        self._parts[process.name] = part
        return part

    async def remove(self, name: str) -> None:
        """Stop a part and forget it, so that its name is free again."""
        await self.part(name).stop()
        del self._parts[name]

    async def stop(self) -> None:
        """Stop every part, the last one first; one that fails does not spare the others."""
        failures: list[Exception] = []
        while self._parts:
            _, part = self._parts.popitem()
            try:
                await part.stop()
            except Exception as error:  # the others still have to be stopped
                failures.append(error)
        if failures:
            raise InfrastructureError(f"a part could not be stopped: {failures[0]}")
