"""The alerts that had to come, and those that came."""

from fleetstorm.report import words
from fleetstorm.report.blocks import Block, Section, Table
from fleetstorm.results import Run
from fleetstorm.results.proof import Example

ORDER = 50


def render(run: Run) -> Section | None:
    """Expected, raised, missed and false; examples of the latter two."""
    found = run.summary.verification
    if found.alerts is None:
        return None
    alerts = found.alerts
    rows = [
        ("expected", words.count(alerts.expected), "that the oracle says must come"),
        ("raised", words.count(alerts.raised), "that the platform raised"),
        ("missed", words.count(alerts.missed), "expected, and not raised"),
        ("false", words.count(alerts.false), "raised, and not to be explained by what was sent"),
    ]
    wrong = frozenset(i for i, n in ((2, alerts.missed), (3, alerts.false)) if n)
    columns = ("Alerts", "Number", "")
    blocks: list[Block] = [
        Table("Alerts by their fate", columns, rows, wrong=wrong, left=frozenset({2}))
    ]
    named = [example for example in found.examples if example.what.startswith("alert")]
    if named:
        blocks.append(_examples(named))
    lead = "An oracle that shares no code with the platform says from the readings what must come."
    return Section("Alerts", lead, blocks)


def _examples(examples: list[Example]) -> Table:
    rows = [
        (e.what.removeprefix("alert_"), e.rule or "", e.serial or "", e.sensor or "", e.t or "")
        for e in examples
    ]
    columns = ("What", "Rule", "Device", "Sensor", "Raised at")
    return Table("Which, by name", columns, rows, left=frozenset({1, 2, 3, 4}))
