"""What a run prints: no row of nothing, and no failed bar of a run that was cut short."""

from pathlib import Path

import msgspec
import pytest

from fleetstorm.cli.printing import print_summary
from fleetstorm.results.proof import Verification
from fleetstorm.results.summary import Load, Summary
from fleetstorm.verdict import Bar, LimitsSettings, judge

LIMITS = LimitsSettings(schedule_lag=0.1, generator_cpu_share=0.6)
BARS = {"verification.lost": Bar(max=0.0)}


def printed(summary: Summary, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines, with one blank between words."""
    print_summary(summary, Path("results/x"))
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_readings_that_were_not_acknowledged_are_rows(
    summary: Summary, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(judge(summary, BARS, LIMITS), capsys)
    assert "rejected: out_of_window 4" in lines
    assert "withheld by a fault 1,200" in lines
    assert "never answered 100" in lines
    assert [line for line in lines if line.startswith(("dropped", "still in"))] == []
    assert "✓ verification.lost 0 (max 0)" in lines


def test_an_interrupted_run_has_no_failed_bar(
    summary: Summary, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = msgspec.structs.replace(summary, verification=Verification())
    lines = printed(judge(cut, BARS, LIMITS, interrupted=True), capsys)
    assert "– verification.lost not measured (max 0)" in lines
    assert "✗" not in "".join(lines)


def test_a_whole_run_fails_a_bar_that_was_not_measured(
    summary: Summary, capsys: pytest.CaptureFixture[str]
) -> None:
    unproven = msgspec.structs.replace(summary, verification=Verification())
    lines = printed(judge(unproven, BARS, LIMITS), capsys)
    assert "✗ verification.lost not measured (max 0)" in lines


def test_a_run_that_got_nowhere_prints_no_row_of_nothing(
    summary: Summary, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = msgspec.structs.replace(summary, load=Load())
    lines = printed(judge(empty, {}, LIMITS, interrupted=True), capsys)
    assert [line for line in lines if line.startswith(("rejected", "dropped", "readings"))] == []
