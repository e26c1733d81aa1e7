"""The verdict: what was found, held against the scenario's bars and against the generator itself.

Order: interrupted > error > what verification disproved > nothing acknowledged > void > a failed
bar > pass. A run is *void* when the simulator was late and was itself the reason; then the figures
say nothing about the platform. Readings that were not acknowledged are named in every reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from fleetconf import units
from fleetconf.errors import UnitError
from fleetconf.units import Duration, Share
from fleetstorm.errors import UsageError
from fleetstorm.results.registry import Metric, find, value_of
from fleetstorm.results.standing import generator_alone
from fleetstorm.results.summary import BarResult, Generator, Load, Summary, Verdict

EXIT_CODES: Mapping[Verdict, int] = {
    "pass": 0,
    "fail": 1,
    "void": 3,
    "error": 5,
    "interrupted": 130,
}

_SEVERITY = (130, 5, 2, 1, 3, 4, 0)
"""Exit codes, worst first: several runs end with the worst of them."""

# A base unit of `fleetconf.units`, and how many of the metric's unit are one of it. Names such as
# latency_ms carry their unit, so a bare number is clear; a share's does not.
_UNITS = {
    "ms": ("duration", 1000),
    "s": ("duration", 1),
    "us": ("duration", 1_000_000),
    "bytes": ("size", 1),
    "share": ("share", 1),
    "readings/s": ("rate", 1),
}
_RATE_TOLERANCE = 0.99

Limit = float | bool | str | None


class LimitsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key `limits` of a run: beyond these the generator was the limit, and the run is void."""

    schedule_lag: Duration
    generator_cpu_share: Share


class Bar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the key `bars`: the least, the most, or the very value a metric must have."""

    min: Limit = None
    max: Limit = None
    equals: Limit = None


@dataclass(frozen=True)
class _Check:
    """One comparison: `limit` in the metric's unit, `written` as the scenario has it."""

    name: str
    comparison: Literal["min", "max", "equals"]
    limit: float | bool | str
    written: str

    def judge(self, summary: Summary) -> BarResult:
        measured = value_of(summary, self.name)
        return BarResult(
            name=self.name,
            limit=f"{self.comparison} {self.written}",
            measured=measured,
            ok=measured is not None and self._holds(measured),
        )

    def _holds(self, measured: float | bool | str) -> bool:
        if self.comparison == "equals" or isinstance(measured, str) or isinstance(self.limit, str):
            return measured == self.limit
        return measured >= self.limit if self.comparison == "min" else measured <= self.limit


def check_bars(bars: Mapping[str, Bar]) -> None:
    """Raise UsageError, with a sentence, for a bar that no run could be held to."""
    list(_checks(bars))


def judge(
    summary: Summary,
    bars: Mapping[str, Bar],
    limits: LimitsSettings,
    *,
    error: str | None = None,
    interrupted: bool = False,
) -> Summary:
    """The summary with its bars, verdict and reason.

    `error` is a sentence that says why the run could not do what its scenario asks. Raises
    UsageError for a bar that is wrong in itself.
    """
    results = tuple(check.judge(summary) for check in _checks(bars))
    verdict, reason = _decide(summary, results, limits, error, interrupted)
    if unacknowledged := _unacknowledged(summary.load):
        reason += f" Not acknowledged: {_join(unacknowledged)}."
    return msgspec.structs.replace(summary, bars=results, verdict=verdict, reason=reason)


def exit_code(verdict: Verdict) -> int:
    """What the program ends with: 0 pass, 1 fail, 3 void, 5 error, 130 interrupted."""
    return EXIT_CODES[verdict]


def worst(codes: Sequence[int]) -> int:
    """The exit code of several runs."""
    return min(codes, key=_SEVERITY.index, default=0)


def _checks(bars: Mapping[str, Bar]) -> Iterator[_Check]:
    for name, bar in bars.items():
        try:
            metric = find(name)
        except UsageError as error:
            raise UsageError(f"bars: {error}") from None
        if bar.min is None and bar.max is None and bar.equals is None:
            raise UsageError(f"bars.{name}: give it min, max or equals")
        comparisons: tuple[Literal["min", "max", "equals"], ...] = ("min", "max", "equals")
        for comparison in comparisons:
            value = getattr(bar, comparison)
            if value is not None:
                where = f"bars.{name}.{comparison}"
                yield _Check(name, comparison, _limit(value, metric, where), _written(value))


def _limit(value: float | bool | str, metric: Metric, where: str) -> float | bool | str:
    """A limit as written, in the unit of its metric."""
    unit, factor = _UNITS.get(metric.unit, ("count", 1))
    bare = not isinstance(value, str) and unit != "share"
    if isinstance(value, bool) or bare:
        return value
    try:
        parsed = units.parse(value, unit)
    except UnitError as error:
        raise UsageError(f"{where}: {error}") from None
    return (parsed or 0) * factor


def _written(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:.12g}"


def _decide(
    summary: Summary,
    bars: tuple[BarResult, ...],
    limits: LimitsSettings,
    error: str | None,
    interrupted: bool,
) -> tuple[Verdict, str]:
    if interrupted:
        return "interrupted", "The run was interrupted; what it had measured by then is here."
    if error:
        return "error", error
    if wrong := _disproved(summary):
        return "fail", f"Verification found {_join(wrong)}."
    if not summary.load.acknowledged:
        what = "acknowledged" if summary.load.emitted else "measured"
        return "fail", f"No reading was {what}, so this run proves nothing."
    if void := _void(summary, limits):
        return "void", void
    if failed := [bar for bar in bars if not bar.ok]:
        return "fail", f"{_count(len(failed), 'bar')} failed: {_join(map(_failed, failed))}."
    return _passed(summary, bars)


def _passed(summary: Summary, bars: tuple[BarResult, ...]) -> tuple[Verdict, str]:
    held = f"{_count(len(bars), 'bar')} held" if bars else "the scenario sets no bars"
    if generator_alone(summary):
        return "pass", (
            f"Nothing was proven: the generator alone was measured, nothing was stored; {held}."
        )
    if summary.verification.lost is None:
        return "fail", "Nothing was verified, so this run proves nothing."
    acknowledged = summary.load.acknowledged or 0
    if acknowledged == 1:
        return "pass", f"The 1 acknowledged reading is in the table, unchanged; {held}."
    return "pass", (
        f"All {acknowledged:,} acknowledged readings are in the table, once and unchanged; {held}."
    )


def _unacknowledged(load: Load) -> list[str]:
    """What became of readings that left the sensors and were not acknowledged, in words.

    Those that a fault withheld are not among them: they were never to be sent.
    """
    ends = [
        (load.rejected, "rejected by the platform", load.rejected_by_code),
        (load.dropped, "dropped by devices", load.dropped_by_cause),
        (load.buffered, "still in the devices at the end", None),
        (load.indeterminate, "sent and never answered", None),
    ]
    return [f"{n:,} {what}{_causes(by)}" for n, what, by in ends if n]


def _causes(counts: Mapping[str, int] | None) -> str:
    """The causes in brackets, each with its number where there are several."""
    named = [(cause, n) for cause, n in sorted((counts or {}).items()) if n]
    if not named:
        return ""
    if len(named) == 1:
        return f" ({named[0][0]})"
    return f" ({_join(f'{cause} {n:,}' for cause, n in named)})"


def _disproved(summary: Summary) -> list[str]:
    """What verification found that must not be, in words."""
    found = summary.verification
    counts = [
        (found.lost, "acknowledged reading", "lost"),
        (found.duplicated, "reading", "duplicated"),
        (found.altered, "reading", "altered"),
        (found.unexpected, "row", "that nobody sent"),
        (found.calibrated_wrong, "reading", "calibrated wrongly"),
        (found.leaks, "row", "leaked to another organization"),
        (found.orphans, "row", "without a sensor and device of their organization"),
    ]
    if found.alerts:
        counts += [
            (found.alerts.missed, "missed alert", ""),
            (found.alerts.false, "false alert", ""),
        ]
    return [f"{_count(n, noun)} {what}".rstrip() for n, noun, what in counts if n]


def _void(summary: Summary, limits: LimitsSettings) -> str | None:
    """Why the generator was the limit, or None if it was not."""
    generator = summary.generator
    lag_ms = generator.schedule_lag_ms_p99
    if lag_ms is None or lag_ms <= limits.schedule_lag * 1000:
        return None
    why = _generator_at_fault(generator, _planned_per_s(summary), limits)
    if why is None:
        return None
    return f"Readings were handed to the wire {lag_ms:,.0f} ms late (p99), and {why}."


def _planned_per_s(summary: Summary) -> float | None:
    """Readings a second as the schedule wanted them: a late generator offers less than that."""
    emitted, virtual_s = summary.load.emitted, summary.run.virtual_s
    speed = summary.run.speed
    if not emitted or not virtual_s or isinstance(speed, str):
        return summary.load.offered_per_s
    return emitted * speed / virtual_s


def _generator_at_fault(
    generator: Generator, planned_per_s: float | None, limits: LimitsSettings
) -> str | None:
    share, null_sink = generator.cpu_share, generator.null_sink_per_s
    if share is not None and share > limits.generator_cpu_share:
        return f"the simulator took {share:.0%} of the CPU time, so it was the limit"
    if null_sink and planned_per_s and null_sink < planned_per_s * _RATE_TOLERANCE:
        return f"the simulator manages only {null_sink:,.0f}/s with no platform at all"
    return None


def _failed(bar: BarResult) -> str:
    measured = bar.measured
    shown = f"{measured:,.6g}" if isinstance(measured, int | float) else measured
    return f"{bar.name} is {'not measured' if measured is None else shown} ({bar.limit})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _join(parts: Iterable[str]) -> str:
    """At most five, so that a sentence stays one."""
    listed = list(parts)
    more = [f"{len(listed) - 5} more"] if len(listed) > 5 else []
    return ", ".join(listed[:5] + more)
