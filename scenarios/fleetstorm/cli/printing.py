"""How results are printed: the few figures that someone wants before they open the report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fleetstorm.results.folder import REPORT
from fleetstorm.results.standing import counts_against, generator_alone, proven, standing
from fleetstorm.results.summary import BarResult, Summary

_COLOURS = {"pass": "green", "fail": "red", "void": "yellow", "error": "red"}


def console() -> Console:
    """Standard output."""
    return Console(highlight=False, soft_wrap=True)


def say(sentence: str) -> None:
    """One sentence to standard output."""
    console().print(sentence, markup=False)


def print_summary(summary: Summary, folder: Path) -> None:
    """Verdict, reason, figures, bars, and where the rest is."""
    out = console()
    verdict = f"[bold {_colour(summary)}]{summary.verdict.upper()}[/]"
    out.print(f"\n{verdict}  {escape(summary.reason)}\n")
    out.print(_figures(summary))
    for bar in summary.bars:
        out.print(_bar(summary, bar))
    _print_examples(out, summary)
    report = folder / REPORT
    out.print(f"\nresults  {folder}" + (f"\nreport   {report}" if report.exists() else ""))


def _colour(summary: Summary) -> str:
    """Of the verdict; a pass that proves nothing is not green."""
    if summary.verdict == "pass" and not proven(summary):
        return "default"
    return _COLOURS.get(summary.verdict, "yellow")


def _bar(summary: Summary, bar: BarResult) -> str:
    """A line; grey where the run ended before the bar could fail."""
    stands = standing(summary, bar)
    measured = stands if bar.measured is None else _number(bar.measured)
    if counts_against(summary, bar):
        return f"[red]✗[/] {bar.name}  {measured}  ({escape(bar.limit)})"
    if stands == "held":
        return f"[green]✓[/] {bar.name}  {measured}  ({escape(bar.limit)})"
    so_far = "" if bar.measured is None else f"  {stands}"
    return f"[dim]– {bar.name}  {measured}  ({escape(bar.limit)}){so_far}[/]"


def _figures(summary: Summary) -> Table:
    load, latency, found = summary.load, summary.latency_ms, summary.verification
    rows: list[tuple[str, object, str]] = [
        ("readings measured", load.emitted, ""),
        ("handed over" if generator_alone(summary) else "acknowledged", load.acknowledged, ""),
        ("withheld by a fault", load.withheld or None, ""),
        *_causes("rejected", load.rejected, load.rejected_by_code),
        *_causes("dropped", load.dropped, load.dropped_by_cause),
        ("still in the devices", load.buffered or None, ""),
        ("never answered", load.indeterminate or None, ""),
        ("stored", load.stored, ""),
        ("offered", load.offered_per_s, " /s"),
        ("stored", load.stored_per_s, " /s"),
        ("response p50", latency.response and latency.response.p50, " ms"),
        ("response p99", latency.response and latency.response.p99, " ms"),
        ("schedule lag p99", summary.generator.schedule_lag_ms_p99, " ms"),
        ("lost", found.lost, ""),
        ("duplicated", found.duplicated, ""),
        ("altered", found.altered, ""),
        ("alerts raised", found.alerts and found.alerts.raised, ""),
        ("alerts missed", found.alerts and found.alerts.missed, ""),
        ("alerts false", found.alerts and found.alerts.false, ""),
        ("bytes a reading", summary.resources.bytes_per_reading, ""),
    ]
    known = [(name, value, unit) for name, value, unit in rows if value is not None]
    return _grid((name, f"{_number(value)}{unit}") for name, value, unit in known)


def _causes(
    name: str, total: int | None, by: dict[str, int] | None
) -> list[tuple[str, object, str]]:
    """One row a cause; none where nothing came to this end."""
    named = [(f"{name}: {cause}", n, "") for cause, n in sorted((by or {}).items()) if n]
    return [*named] if named else [(name, total or None, "")]


def _print_examples(out: Console, summary: Summary) -> None:
    for example in summary.verification.examples:
        fields = (example.rule, example.serial, example.sensor, example.sensor_id, example.t)
        said = " ".join(str(part) for part in fields if part is not None)
        expected = "" if example.expected is None else f" expected {example.expected}"
        found = "" if example.found is None else f" found {example.found}"
        out.print(f"[red]{example.what}[/] {escape(said + expected + found)}")


def _grid(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _number(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
