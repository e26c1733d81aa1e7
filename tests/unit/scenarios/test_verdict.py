"""Order of verdicts, the rule of void, and bars with their units."""

from typing import Any

import msgspec
import pytest

from fleetstorm.errors import UsageError
from fleetstorm.results.proof import Alerts, Verification
from fleetstorm.results.summary import Summary
from fleetstorm.verdict import Bar, LimitsSettings, check_bars, exit_code, judge

LIMITS = LimitsSettings(schedule_lag=0.1, generator_cpu_share=0.6)
FAILED_BAR = {"latency_ms.response.p99": Bar(max="200ms")}
HELD_BAR = {"latency_ms.response.p99": Bar(max="1s")}


def changed(summary: Summary, part: str, **fields: Any) -> Summary:
    replaced = msgspec.structs.replace(getattr(summary, part), **fields)
    return msgspec.structs.replace(summary, **{part: replaced})


def late(summary: Summary, **fields: Any) -> Summary:
    return changed(summary, "generator", **{"schedule_lag_ms_p99": 300.0, **fields})


def test_a_good_run_passes_and_says_why(summary: Summary) -> None:
    judged = judge(summary, HELD_BAR, LIMITS)
    assert judged.verdict == "pass"
    assert judged.reason == (
        "All 1,198,696 acknowledged readings are in the table, once and unchanged; 1 bar held."
        " Not acknowledged: 4 rejected by the platform (out_of_window),"
        " 100 sent and never answered."
    )


def test_a_run_whose_readings_were_all_acknowledged_says_nothing_of_others(
    summary: Summary,
) -> None:
    judged = judge(changed(summary, "load", rejected=0, indeterminate=0), {}, LIMITS)
    assert "Not acknowledged" not in judged.reason


def test_readings_that_were_not_acknowledged_are_named_with_their_causes(summary: Summary) -> None:
    lossy = changed(
        summary,
        "load",
        rejected=5,
        rejected_by_code={"out_of_window": 4, "unknown_sensor": 1},
        dropped=3,
        dropped_by_cause={"buffer_full": 3},
        buffered=2,
        indeterminate=0,
    )
    assert judge(lossy, FAILED_BAR, LIMITS).reason == (
        "1 bar failed: latency_ms.response.p99 is 210 (max 200ms). Not acknowledged:"
        " 5 rejected by the platform (out_of_window 4, unknown_sensor 1),"
        " 3 dropped by devices (buffer_full), 2 still in the devices at the end."
    )


def test_one_reading_is_not_called_readings(summary: Summary) -> None:
    one = changed(summary, "load", acknowledged=1)
    assert judge(one, {}, LIMITS).reason.startswith(
        "The 1 acknowledged reading is in the table, unchanged; the scenario sets no bars."
    )


@pytest.mark.parametrize("transport", ["http_arrow", "null_sink"])
@pytest.mark.parametrize(
    ("load", "said"),
    [
        ({"emitted": 0, "acknowledged": 0}, "No reading was measured, so this run proves nothing."),
        (
            {"emitted": 9, "acknowledged": 0},
            "No reading was acknowledged, so this run proves nothing.",
        ),
    ],
)
def test_a_run_in_which_nothing_was_acknowledged_never_passes(
    summary: Summary, transport: str, load: dict[str, int], said: str
) -> None:
    nothing = changed(summary, "load", transport=transport, **load)
    judged = judge(nothing, HELD_BAR, LIMITS)
    assert judged.verdict == "fail"
    assert judged.reason.startswith(said)


def test_a_failed_bar_fails_the_run(summary: Summary) -> None:
    judged = judge(summary, FAILED_BAR, LIMITS)
    assert judged.verdict == "fail"
    assert judged.reason.startswith("1 bar failed: latency_ms.response.p99 is 210 (max 200ms).")
    assert (judged.bars[0].measured, judged.bars[0].ok) == (210.0, False)


@pytest.mark.parametrize(
    "claim", ["lost", "duplicated", "altered", "unexpected", "calibrated_wrong", "orphans", "leaks"]
)
def test_what_verification_disproves_fails_the_run(summary: Summary, claim: str) -> None:
    assert judge(changed(summary, "verification", **{claim: 1}), {}, LIMITS).verdict == "fail"


def test_missed_and_false_alerts_fail_the_run(summary: Summary) -> None:
    alerts = Alerts(expected=2, raised=2, missed=1, false=1)
    judged = judge(changed(summary, "verification", alerts=alerts), {}, LIMITS)
    assert judged.reason.startswith("Verification found 1 missed alert, 1 false alert.")


def test_error_outranks_loss_and_loss_outranks_void_and_void_a_failed_bar(
    summary: Summary,
) -> None:
    lossy = changed(late(summary, cpu_share=0.9), "verification", lost=3)
    void = late(summary, cpu_share=0.9)
    assert judge(lossy, FAILED_BAR, LIMITS, error="It broke.").verdict == "error"
    assert judge(lossy, FAILED_BAR, LIMITS).verdict == "fail"
    assert "3 acknowledged readings lost" in judge(lossy, FAILED_BAR, LIMITS).reason
    assert judge(void, FAILED_BAR, LIMITS).verdict == "void"


def test_an_interrupted_run_says_so_whatever_else_it_found(summary: Summary) -> None:
    lossy = changed(summary, "verification", lost=3)
    assert judge(lossy, {}, LIMITS, interrupted=True).verdict == "interrupted"


@pytest.mark.parametrize(
    ("generator", "verdict"),
    [
        ({"schedule_lag_ms_p99": 99.0, "cpu_share": 0.9}, "pass"),
        ({"cpu_share": 0.59}, "pass"),
        ({"cpu_share": 0.61}, "void"),
        ({"cpu_share": 0.3, "null_sink_per_s": 15_000.0}, "void"),
        ({"cpu_share": 0.3, "null_sink_per_s": 20_500.0}, "pass"),
        ({"schedule_lag_ms_p99": None, "cpu_share": 0.9}, "pass"),
    ],
)
def test_a_run_is_void_only_if_it_was_late_and_the_generator_was_the_limit(
    summary: Summary, generator: dict[str, float | None], verdict: str
) -> None:
    assert judge(late(summary, **generator), {}, LIMITS).verdict == verdict


def test_a_run_that_was_not_verified_never_passes(summary: Summary) -> None:
    unproven = msgspec.structs.replace(summary, verification=Verification())
    assert judge(unproven, {}, LIMITS).verdict == "fail"


def test_a_run_without_a_platform_may_pass_and_says_that_it_proves_nothing(
    summary: Summary,
) -> None:
    alone = msgspec.structs.replace(summary, verification=Verification())
    alone = changed(alone, "load", transport="null_sink")
    judged = judge(alone, {}, LIMITS)
    assert judged.verdict == "pass"
    assert judged.reason.startswith(
        "Nothing was proven: the generator alone was measured, nothing was stored;"
    )


def test_a_bar_on_what_was_not_measured_fails(summary: Summary) -> None:
    without = changed(summary, "latency_ms", alert=None)
    judged = judge(without, {"latency_ms.alert.p99": Bar(max=5.0)}, LIMITS)
    assert judged.reason.startswith(
        "1 bar failed: latency_ms.alert.p99 is not measured (max 5)."
    )


@pytest.mark.parametrize(
    ("name", "bar", "ok"),
    [
        ("latency_ms.response.p99", Bar(max=210.0), True),
        ("latency_ms.response.p99", Bar(max="0.21s"), True),
        ("latency_ms.response.p99", Bar(max="209ms"), False),
        ("load.stored_per_s", Bar(min="19.9k/s"), True),
        ("load.stored_per_s", Bar(min=20_000.0), False),
        ("generator.cpu_share", Bar(max="36%"), True),
        ("resources.rss_bytes_max.postgres", Bar(max="1GB"), True),
        ("load.withheld_by_cause.dropout", Bar(equals=1200.0), True),
        ("load.rejected", Bar(min=1.0, max=4.0), True),
        ("verification.alerts.expected", Bar(equals="40"), True),
    ],
)
def test_bars_are_written_with_the_units_of_their_metric(
    summary: Summary, name: str, bar: Bar, ok: bool
) -> None:
    assert all(result.ok is ok for result in judge(summary, {name: bar}, LIMITS).bars)


@pytest.mark.parametrize(
    ("name", "bar", "sentence"),
    [
        ("verification.lots", Bar(max=0.0), "did you mean verification.lost"),
        ("verification.lost", Bar(), "give it min, max or equals"),
        ("latency_ms.command.p99", Bar(max=5.0), "nothing measures latency_ms.command.p99 yet"),
        ("generator.cpu_share", Bar(max=0.6), "0.6 has no unit; write a percentage such as 5%"),
        ("latency_ms.age.p50", Bar(max="5 apples"), '"5 apples" is not a duration'),
    ],
)
def test_a_wrong_bar_is_one_sentence(name: str, bar: Bar, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        check_bars({name: bar})
    assert sentence in str(error.value)


def test_each_verdict_has_its_exit_code() -> None:
    codes = [exit_code(v) for v in ("pass", "fail", "void", "error", "interrupted")]
    assert codes == [0, 1, 3, 5, 130]
