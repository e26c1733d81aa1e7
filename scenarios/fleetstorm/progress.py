"""The live view of a run: phases while it starts and ends, figures while the load is on.

On a terminal a block of lines that rich keeps up to date; elsewhere, a CI job's log say, a plain
line now and then. It goes to stderr, so that stdout has the result alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fleetsim.ledger.report import Sample

_PLAIN_INTERVAL_S = 5.0
_REFRESH_PER_S = 4


@dataclass(frozen=True)
class Figures:
    """What is shown of one moment of the load; None where there is nothing to say yet."""

    elapsed_s: float
    duration_s: float
    rate_per_s: float | None = None
    lag_ms: float | None = None
    p99_ms: float | None = None
    stored: int | None = None
    alerts: int | None = None
    buffered: int | None = None

    def cells(self) -> dict[str, str]:
        """The figures as people read them, by their headings."""
        return {
            "time": f"{self.elapsed_s:.0f} of {self.duration_s:.0f} s",
            "rate": _number(self.rate_per_s, "/s"),
            "lag p99": _number(self.lag_ms, " ms"),
            "response p99": _number(self.p99_ms, " ms"),
            "stored": _number(self.stored),
            "alerts": _number(self.alerts),
            "in buffers": _number(self.buffered),
        }


def figures_of(
    sample: Sample,
    wall_s: float,
    *,
    elapsed_s: float,
    duration_s: float,
    stored: int | None,
    alerts: int | None,
) -> Figures:
    """The figures of a sample that covers `wall_s` seconds."""
    lag_us = sample.schedule_lag.percentile(99)
    response_us = sample.response.percentile(99)
    return Figures(
        elapsed_s=min(elapsed_s, duration_s),
        duration_s=duration_s,
        rate_per_s=sample.emitted / wall_s if wall_s > 0 else None,
        lag_ms=None if lag_us is None else lag_us / 1000,
        p99_ms=None if response_us is None else response_us / 1000,
        stored=stored,
        alerts=alerts,
        buffered=sample.buffered,
    )


@dataclass
class View:
    """Shows a run as it goes; `with View(...) as view`, then `phase` and `show` as often as wanted.

    A phase ends when the next begins, and says how long it took.
    """

    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    _phase: str = ""
    _phase_since: float = 0.0
    _figures: Figures | None = None
    _printed: float = 0.0
    _live: Live | None = None

    def __enter__(self) -> View:
        """Begin to draw, where there is a terminal to draw on."""
        if self.console.is_terminal:
            self._live = Live(
                console=self.console,
                refresh_per_second=_REFRESH_PER_S,
                get_renderable=self._render,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._end_phase()
        if self._live:
            self._live.stop()
            self._live = None

    def phase(self, name: str) -> None:
        """What the run does from now on, in a few words."""
        self._end_phase()
        self._phase, self._phase_since = name, time.monotonic()
        self._figures = None
        if not self._live:
            self.console.print(f"{name} …")
        self._printed = 0.0

    def show(self, figures: Figures) -> None:
        """The newest figures; on anything but a terminal one line in some seconds."""
        self._figures = figures
        if self._live or time.monotonic() - self._printed < _PLAIN_INTERVAL_S:
            return
        self._printed = time.monotonic()
        cells = figures.cells()
        said = [cells.pop("time"), *(f"{name} {value}" for name, value in cells.items())]
        self.console.print("  " + " · ".join(said), soft_wrap=True)

    def say(self, sentence: str) -> None:
        """One sentence that stays."""
        self.console.print(sentence, soft_wrap=True)

    def _end_phase(self) -> None:
        if self._phase and self._live:
            took_s = time.monotonic() - self._phase_since
            self.console.print(f"[green]✓[/] {self._phase} [dim]{took_s:.1f} s[/]")
        self._phase = ""

    def _render(self) -> Table | Text:
        took_s = time.monotonic() - self._phase_since
        if self._figures is None:
            return Text(f"… {self._phase} {took_s:.0f} s" if self._phase else "")
        cells = self._figures.cells()
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for name in cells:
            table.add_column(name, justify="right", style="bold", header_style="dim")
        table.add_row(*cells.values())
        return table


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "–"
    digits = 1 if isinstance(value, float) and value < 10 else 0
    return f"{value:,.{digits}f}{unit}"
