"""Where every reading went: the ledger's equation, and what is wrong by name."""

from collections.abc import Iterable

from fleetstorm.report import words
from fleetstorm.report.blocks import Block, Section, Table, Text
from fleetstorm.results import Run
from fleetstorm.results.proof import Example, Verification
from fleetstorm.results.standing import generator_alone
from fleetstorm.results.summary import Load

ORDER = 20

Row = tuple[str, str, str]


def render(run: Run) -> Section | None:
    """The books as two sums, and examples."""
    load, found = run.summary.load, run.summary.verification
    if load.emitted is None:
        return None
    alone = generator_alone(run.summary)
    blocks: list[Block] = [_books(load, load.emitted, alone=alone)]
    if alone:
        blocks.append(Text("There was no platform: nothing was stored, and nothing is proven."))
    elif found.lost is None:
        blocks.append(Text("The table was not compared with the books in this run."))
    else:
        blocks += [_table(load, found), _claims(found)]
    readings = [example for example in found.examples if not example.what.startswith("alert")]
    if readings:
        blocks.append(_examples(readings))
    return Section(
        "Where every reading went",
        "What the simulator's own books say"
        + ("." if found.lost is None else ", and what the database holds."),
        blocks,
    )


def _books(load: Load, emitted: int, *, alone: bool) -> Table:
    """Emitted, and the ends of all readings, which must add up to it."""
    taken = "encoded and thrown away" if alone else "the platform said that it has them"
    ends = [
        ("handed over" if alone else "acknowledged", load.acknowledged or 0, taken),
        *_by("withheld", load.withheld_by_cause, "held back by a fault"),
        *_by("dropped", load.dropped_by_cause, "by the device"),
        *([] if alone else _by("rejected", load.rejected_by_code, "by the platform")),
        ("buffered", load.buffered or 0, "still in the devices at the end"),
        ("never answered", load.indeterminate or 0, "sent; one row or none is right"),
    ]
    total = sum(number for _, number, _ in ends)
    adds_up = total == emitted
    rows: list[Row] = [("emitted", words.count(emitted), "measured by the sensors")]
    rows += [(f"{_sign(i)} {name}", words.count(n), note) for i, (name, n, note) in enumerate(ends)]
    rows.append(
        (
            "sum",
            words.count(total),
            "equals emitted" if adds_up else f"{words.count(emitted - total)} unaccounted for",
        )
    )
    last = len(rows) - 1
    return Table(
        "The books: every reading has one end",
        ("Readings", "Number", ""),
        rows,
        totals=frozenset({0, last}),
        wrong=frozenset() if adds_up else frozenset({last}),
        left=frozenset({2}),
    )


def _table(load: Load, found: Verification) -> Table:
    """Acknowledged, and the rows that are there."""
    acknowledged, stored = load.acknowledged or 0, load.stored or 0
    lost, extra = found.lost or 0, (found.unexpected or 0) + (found.duplicated or 0)
    answered_late = stored - (acknowledged - lost + extra)
    adds_up = 0 <= answered_late <= (load.indeterminate or 0)
    rows: list[Row] = [
        ("acknowledged", words.count(acknowledged), "must be in the table"),
        ("− lost", words.count(lost), "acknowledged, and no row"),
        ("+ never answered, yet stored", words.count(answered_late), "allowed"),
        ("+ unexpected or duplicated", words.count(extra), "rows that must not be"),
        ("rows in the table", words.count(stored), "adds up" if adds_up else "does not add up"),
    ]
    wrong = {i for i, bad in ((1, lost), (3, extra), (4, not adds_up)) if bad}
    return Table(
        "The table: what is there",
        ("Rows", "Number", ""),
        rows,
        totals=frozenset({0, 4}),
        wrong=frozenset(wrong),
        left=frozenset({2}),
    )


def _claims(found: Verification) -> Table:
    claims = [
        ("Every acknowledged reading is in the table", found.lost),
        ("None is there twice", found.duplicated),
        ("Every value is the one that was sent", found.altered),
        ("Every calibrated value is raw × multiplier + offset", found.calibrated_wrong),
        ("No row is there that nobody sent", found.unexpected),
        ("Every row belongs to a sensor and device of its organization", found.orphans),
    ]
    rows = [(claim, words.count(n), "false" if n else "true") for claim, n in claims]
    wrong = frozenset(i for i, (_, n) in enumerate(claims) if n)
    return Table("What was proven", ("Claim", "Exceptions", ""), rows, wrong=wrong)


def _examples(examples: Iterable[Example]) -> Table:
    rows = [
        (
            example.what.replace("_", " "),
            example.serial or "unknown sensor",
            example.sensor or example.sensor_id or "",
            example.t or "",
            "no such reading" if example.expected is None else str(example.expected),
            "no row" if example.found is None else str(example.found),
        )
        for example in examples
    ]
    columns = ("What", "Device", "Sensor", "Measured at", "Expected", "Found")
    return Table("What is wrong, by name (the first 20)", columns, rows, left=frozenset({1, 2, 3}))


def _by(name: str, causes: dict[str, int] | None, note: str) -> list[tuple[str, int, str]]:
    """One row a cause, or one row of nothing."""
    if not causes:
        return [(name, 0, note)]
    return [
        (f"{name}: {cause.replace('_', ' ')}", number, note)
        for cause, number in sorted(causes.items())
    ]


def _sign(position: int) -> str:
    return "=" if position == 0 else "+"
