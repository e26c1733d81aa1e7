"""How well the anomaly flags tell the injected faults, beside a detector that guesses."""

from fleetstorm.report import words
from fleetstorm.report.blocks import Section, Table, Text
from fleetstorm.results import Run
from fleetstorm.results.summary import Detection

ORDER = 55


def render(run: Run) -> Section | None:
    """Precision, recall and delay by kind of fault, and of the null and random detectors."""
    found = run.summary.verification.anomalies
    if found is None or found.overall is None:
        return None
    rows = [_row(kind, one) for kind, one in sorted((found.by_fault or {}).items())]
    totals = frozenset({len(rows)})
    rows.append(_row("all faults", found.overall))
    for name, one in (
        ("a detector that never flags", found.null_detector),
        ("one that flags as many at random", found.random_detector),
    ):
        if one is not None:
            rows.append(_row(name, one))
    columns = ("Fault", "Faults", "Precision", "Recall", "F1", "Delay")
    flagged = words.count(found.flagged)
    text = Text(
        f"Of {words.count(found.judged)} readings with a score {flagged} are flagged. A fault is"
        " found if one of its readings is flagged; a flag is right within a fault, wrong outside"
        " one, and neither in the hour after it. The delay is the median, in virtual time."
    )
    lead = "The flags in the table against what the timeline did to the sensors."
    table = Table("By kind of fault", columns, rows, totals=totals)
    return Section("Anomalies", lead, [text, table])


def _row(name: str, one: Detection) -> tuple[str, ...]:
    return (
        name,
        words.count(one.faults),
        words.share(one.precision),
        words.share(one.recall),
        words.NOTHING if one.f1 is None else f"{one.f1:.2f}",
        words.seconds(one.delay_s),
    )
