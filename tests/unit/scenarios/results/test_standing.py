"""A bar fails a run that was whole, and stays open in one that was cut short."""

import msgspec
import pytest

from fleetstorm.results.standing import counts_against, standing
from fleetstorm.results.summary import BarResult, Summary, Verdict


@pytest.mark.parametrize(
    ("verdict", "measured", "ok", "stands", "against"),
    [
        ("pass", 1.0, True, "held", False),
        ("fail", 9.0, False, "failed", True),
        ("fail", None, False, "not measured", True),
        ("interrupted", None, False, "not measured", False),
        ("interrupted", 9.0, False, "not held so far", False),
        ("interrupted", 1.0, True, "held so far", False),
        ("error", None, False, "not measured", False),
    ],
)
def test_how_a_bar_stands(
    summary: Summary,
    verdict: Verdict,
    measured: float | None,
    ok: bool,
    stands: str,
    against: bool,
) -> None:
    judged = msgspec.structs.replace(summary, verdict=verdict)
    bar = BarResult(name="latency_ms.age.p50", limit="max 5", measured=measured, ok=ok)
    assert (standing(judged, bar), counts_against(judged, bar)) == (stands, against)
