"""A report says the verdict and its reason, adds up, and needs nothing but itself."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fleetstorm.errors import UsageError
from fleetstorm.report import page
from fleetstorm.results.folder import Folder
from fleetstorm.results.summary import Alerts, Example, Summary
from fleetstorm.verdict import Bar, LimitsSettings, judge

LIMITS = LimitsSettings(schedule_lag=0.1, generator_cpu_share=0.6)
BYTES_MAX = 2_000_000
SECTIONS = [
    "overview", "proof", "rate", "latency", "alerts", "cost", "storage", "events", "setup",
]  # fmt: skip

Finish = Callable[[Summary], Path]


def written(summary: Summary, finished: Finish) -> str:
    judged = judge(summary, {"verification.lost": Bar(max=0.0)}, LIMITS)
    return page.write(finished(judged)).read_text("utf-8")


def text_of(html: str) -> str:
    """What a reader sees: without marks, one blank between words."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_page_opens_with_the_verdict_and_its_reason(summary: Summary, finished: Finish) -> None:
    text = text_of(written(summary, finished))
    assert "Passed All 1,198,696 acknowledged readings are in the table" in text


def test_every_section_is_there_in_order(summary: Summary, finished: Finish) -> None:
    html = written(summary, finished)
    assert re.findall(r'<section id="(\w+)"', html) == SECTIONS


def test_the_page_loads_nothing(summary: Summary, finished: Finish) -> None:
    html = written(summary, finished)
    loads = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]+)', html)
    assert [target for target in loads if not target.startswith("#")] == []
    assert "<script" not in html
    assert "@import" not in html


def test_the_page_is_small(summary: Summary, finished: Finish) -> None:
    assert len(written(summary, finished).encode()) < BYTES_MAX


def test_the_books_add_up(summary: Summary, finished: Finish) -> None:
    text = text_of(written(summary, finished))
    assert "sum 1,200,000 equals emitted" in text
    assert "+ never answered, yet stored 60 allowed" in text
    assert "rows in the table 1,198,756 adds up" in text


def test_books_that_do_not_add_up_say_so(summary: Summary, finished: Finish) -> None:
    load = msgspec.structs.replace(summary.load, acknowledged=1_198_600)
    text = text_of(written(msgspec.structs.replace(summary, load=load), finished))
    assert "sum 1,199,904 96 unaccounted for" in text


def test_what_is_wrong_is_named(summary: Summary, finished: Finish) -> None:
    lost = Example(
        what="lost", serial="run-d000042", sensor="humidity", t="2026-06-01T00:00:01Z", expected=5.5
    )
    missed = Example(what="alert_missed", rule="too hot", serial="run-d000007", sensor="humidity")
    found = msgspec.structs.replace(
        summary.verification,
        lost=1,
        alerts=Alerts(expected=2, raised=1, missed=1, false=0),
        examples=(lost, missed),
    )
    text = text_of(written(msgspec.structs.replace(summary, verification=found), finished))
    assert "lost run-d000042 humidity 2026-06-01T00:00:01Z 5.5 no row" in text
    assert "missed too hot run-d000007 humidity" in text


def test_text_of_the_run_is_never_markup(summary: Summary, finished: Finish) -> None:
    html = written(summary, finished)
    assert "&lt;b&gt;any&lt;/b&gt;" in html
    assert "<b>any</b>" not in html


def test_a_drawing_says_in_words_what_it_shows(summary: Summary, finished: Finish) -> None:
    html = written(summary, finished)
    drawings = re.findall(r'<figure role="group" aria-label="([^"]+)">', html)
    assert len(drawings) == html.count("<svg ") == 6
    assert html.count('aria-hidden="true" focusable="false"') == 6


def test_drawings_take_their_colours_from_the_page(summary: Summary, finished: Finish) -> None:
    html = written(summary, finished)
    assert 'stroke="var(--chart-1)"' in html
    assert "#0a00" not in html


def test_a_run_cut_short_has_a_page_too(summary: Summary, tmp_path: Path) -> None:
    folder = Folder.create(tmp_path / "short", tmp_path, "steady", "1")
    empty = Summary(run=summary.run, machine=summary.machine)
    folder.write_summary(judge(empty, {}, LIMITS, interrupted=True))
    folder.close()
    html = page.write(folder.path).read_text("utf-8")
    assert re.findall(r'<section id="(\w+)"', html) == ["overview", "setup"]
    assert "Interrupted" in html


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no results folder"):
        page.write(tmp_path)
