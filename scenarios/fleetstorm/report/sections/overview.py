"""The figures a capacity planner looks for first, and the scenario's bars."""

from fleetstorm.report import words
from fleetstorm.report.blocks import Block, Figure, Figures, Section, Table
from fleetstorm.results import Run
from fleetstorm.results.registry import find
from fleetstorm.results.summary import BarResult, Summary

ORDER = 10
_DAY_S = 86_400


def render(run: Run) -> Section | None:
    """Key figures and bars."""
    blocks: list[Block] = [Figures(_figures(run.summary))]
    if run.summary.bars:
        blocks.append(_bars(run.summary))
    return Section("At a glance", "What this run carried, and how well.", blocks)


def _figures(summary: Summary) -> list[Figure]:
    load, cost, found = summary.load, summary.resources, summary.verification
    response = summary.latency_ms.response or summary.latency_ms.service
    daily = (
        None
        if cost.bytes_per_reading is None or load.stored_per_s is None
        else cost.bytes_per_reading * load.stored_per_s * _DAY_S
    )
    fleet = f"{words.counted(load.sensors, 'sensor')}, {words.counted(load.shards, 'shard')}"
    return [
        Figure("Devices", words.count(load.devices), fleet),
        Figure("Offered", words.rate(load.offered_per_s), "readings measured by the fleet"),
        Figure("Stored", words.rate(load.stored_per_s), "readings committed"),
        Figure(
            "Response p99",
            words.ms(response.p99 if response else None),
            f"half within {words.ms(response.p50 if response else None)}",
        ),
        Figure("Lost", words.count(found.lost), "acknowledged, but not in the table"),
        Figure(
            "Bytes a reading",
            words.count(cost.bytes_per_reading),
            f"{words.size(daily)} a day at this rate",
        ),
    ]


def _bars(summary: Summary) -> Table:
    rows = [
        (bar.name, bar.limit, _measured(bar), "held" if bar.ok else "failed")
        for bar in summary.bars
    ]
    wrong = frozenset(i for i, bar in enumerate(summary.bars) if not bar.ok)
    return Table("Bars of the scenario", ("Metric", "Bar", "Measured", ""), rows, wrong=wrong)


def _measured(bar: BarResult) -> str:
    """With its unit, where the number alone would not say it."""
    written = words.value(bar.measured)
    unit = find(bar.name).unit
    return f"{written} {unit}" if unit in ("ms", "s", "us", "bytes") else written
