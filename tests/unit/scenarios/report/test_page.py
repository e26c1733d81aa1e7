"""A report says the verdict and its reason, adds up, and needs nothing but itself."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fleetstorm.errors import UsageError
from fleetstorm.report import page
from fleetstorm.results.folder import Folder
from fleetstorm.results.summary import (
    Alerts,
    Anomalies,
    Detection,
    Example,
    OrganizationFigures,
    Resources,
    Summary,
    Tenants,
    Verification,
)
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


def test_organizations_beside_each_other_have_a_table(summary: Summary, finished: Finish) -> None:
    noisy, north = (
        OrganizationFigures(
            organization=name, noisy=name == "noisy", quota_per_s=200.0, offered_per_s=offered,
            stored_per_s=180.0, refused=3811, dropped=127_789, response_p99_quiet_ms=36.2,
            response_p99_noisy_ms=47.7,
        )
        for name, offered in (("noisy", 1050.0), ("north", 180.0))
    )  # fmt: skip
    tenants = Tenants(
        windows_quiet=15, windows_noisy=15, quiet_p99_ms=47.7, quiet_p99_base_ms=36.2,
        quiet_p99_rise=1.318, organizations=(noisy, north),
    )  # fmt: skip
    text = text_of(written(msgspec.structs.replace(summary, tenants=tenants), finished))
    assert "noisy (noisy) 200/s 1,050/s 180/s 3,811 127,789 36.2 ms 47.7 ms" in text
    assert "The others' p99 was 47.7 ms in those and 36.2 ms in the rest" in text.replace(
        "&#39;", "'"
    )


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


def test_flags_stand_beside_those_of_a_detector_that_guesses(
    summary: Summary, finished: Finish
) -> None:
    spike = Detection(faults=32, precision=0.96, recall=1.0, f1=0.98, delay_s=1669.2)
    anomalies = Anomalies(
        judged=160_984, flagged=1073, overall=spike, by_fault={"spike": spike},
        null_detector=Detection(faults=32, recall=0.0, f1=0.0), f1_above_random=0.95,
        random_detector=Detection(faults=32, precision=0.02, recall=0.24, f1=0.03, delay_s=7.0),
    )  # fmt: skip
    found = msgspec.structs.replace(summary.verification, anomalies=anomalies)
    text = text_of(written(msgspec.structs.replace(summary, verification=found), finished))
    assert "Of 160,984 readings with a score 1,073 are flagged" in text
    assert "spike 32 96.0% 100.0% 0.98 27 min 49 s" in text
    assert "a detector that never flags 32 — 0.0% 0.00 —" in text
    assert "one that flags as many at random 32 2.0% 24.0% 0.03 7 s" in text


def test_a_failed_run_shows_why_readings_were_rejected(summary: Summary, finished: Finish) -> None:
    load = msgspec.structs.replace(
        summary.load, acknowledged=0, rejected=1_198_700, indeterminate=100,
        rejected_by_code={"out_of_window": 1_198_000, "unknown_sensor": 700},
    )  # fmt: skip
    text = text_of(written(msgspec.structs.replace(summary, load=load), finished))
    assert "Failed No reading was acknowledged, so this run proves nothing." in text
    assert "+ rejected: out of window 1,198,000 by the platform" in text
    assert "+ rejected: unknown sensor 700 by the platform" in text


def generator_alone(summary: Summary) -> Summary:
    load = msgspec.structs.replace(
        summary.load, transport="null_sink", stored=None, stored_per_s=None, rejected=0,
        rejected_by_code={}, indeterminate=0, acknowledged=1_198_800,
    )  # fmt: skip
    return msgspec.structs.replace(
        summary,
        load=load,
        verification=Verification(),
        resources=Resources(cpu_s={"shards": 22.0, "driver": 3.5}),
    )


def test_a_generator_alone_is_not_called_passed_or_stored(
    summary: Summary, finished: Finish
) -> None:
    judged = judge(generator_alone(summary), {}, LIMITS)
    html = page.write(finished(judged)).read_text("utf-8")
    text = text_of(html)
    assert judged.verdict == "pass"
    assert '<body class="unproven">' in html
    assert "Passed" not in text
    assert "Measured, nothing proven Nothing was proven: the generator alone" in text
    assert "with no platform, nothing was stored" in text
    assert "the platform said" not in text
    assert "Simulator's share of what all cores could give" in text.replace("&#39;", "'")
    assert "postgres" not in text_of(html[html.index('id="cost"') : html.index('id="events"')])


def test_the_bars_of_an_interrupted_run_are_grey(summary: Summary, finished: Finish) -> None:
    cut = msgspec.structs.replace(summary, verification=Verification())
    bars = {"verification.lost": Bar(max=0.0), "latency_ms.response.p99": Bar(max="1s")}
    html = page.write(finished(judge(cut, bars, LIMITS, interrupted=True))).read_text("utf-8")
    glance = html[html.index('id="overview"') : html.index('id="proof"')]
    assert "verification.lost max 0 — not measured" in text_of(glance)
    assert "latency_ms.response.p99 max 1s 210 ms held so far" in text_of(glance)
    assert "unknown" in glance
    assert "wrong" not in glance


def test_a_bar_that_a_whole_run_did_not_measure_fails_without_a_unit(
    summary: Summary, finished: Finish
) -> None:
    latency = msgspec.structs.replace(summary.latency_ms, alert=None)
    whole = msgspec.structs.replace(summary, latency_ms=latency)
    judged = judge(whole, {"latency_ms.alert.p99": Bar(max=5.0)}, LIMITS)
    html = page.write(finished(judged)).read_text("utf-8")
    glance = html[html.index('id="overview"') : html.index('id="proof"')]
    assert judged.verdict == "fail"
    assert "latency_ms.alert.p99 max 5 — not measured" in text_of(glance)
    assert "wrong" in glance


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
