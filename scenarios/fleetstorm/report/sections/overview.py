"""The figures a capacity planner looks for first, and the scenario's bars."""

from fleetstorm.errors import UsageError
from fleetstorm.report import words
from fleetstorm.report.blocks import Block, Figure, Figures, Section, Table
from fleetstorm.results import Run
from fleetstorm.results.registry import find
from fleetstorm.results.standing import counts_against, generator_alone, standing
from fleetstorm.results.summary import BarResult, Summary

ORDER = 10
_DAY_S = 86_400
_JUDGED = ("held", "failed")


def render(run: Run) -> Section | None:
    """Key figures and bars."""
    blocks: list[Block] = [Figures(_figures(run.summary))]
    if run.summary.bars:
        blocks.append(_bars(run.summary))
    return Section("At a glance", "What this run carried, and how well.", blocks)


def _figures(summary: Summary) -> list[Figure]:
    """What was offered and how it was answered; and what was stored, if there was where to."""
    load = summary.load
    response = summary.latency_ms.response or summary.latency_ms.service
    fleet = f"{words.counted(load.sensors, 'sensor')}, {words.counted(load.shards, 'shard')}"
    figures = [
        Figure("Devices", words.count(load.devices), fleet),
        Figure("Offered", words.rate(load.offered_per_s), "readings measured by the fleet"),
        Figure(
            "Response p99",
            words.ms(response.p99 if response else None),
            f"half within {words.ms(response.p50)}" if response else "",
        ),
    ]
    if generator_alone(summary):
        return figures
    return [*figures[:2], *_stored(summary, figures[2])]


def _stored(summary: Summary, response: Figure) -> list[Figure]:
    load, cost, found = summary.load, summary.resources, summary.verification
    daily = (
        None
        if cost.bytes_per_reading is None or load.stored_per_s is None
        else cost.bytes_per_reading * load.stored_per_s * _DAY_S
    )
    return [
        Figure("Stored", words.rate(load.stored_per_s), "readings committed"),
        response,
        Figure("Lost", words.count(found.lost), "acknowledged, but not in the table"),
        Figure(
            "Bytes a reading",
            words.count(cost.bytes_per_reading),
            "" if daily is None else f"{words.size(daily)} a day at this rate",
        ),
    ]


def _bars(summary: Summary) -> Table:
    rows = [
        (bar.name, bar.limit, _measured(bar), standing(summary, bar)) for bar in summary.bars
    ]
    against = {i for i, bar in enumerate(summary.bars) if counts_against(summary, bar)}
    open_ = {i for i, bar in enumerate(summary.bars) if standing(summary, bar) not in _JUDGED}
    return Table(
        "Bars of the scenario",
        ("Metric", "Bar", "Measured", ""),
        rows,
        wrong=frozenset(against),
        unknown=frozenset(open_ - against),
    )


def _measured(bar: BarResult) -> str:
    """With its unit, where the number alone would not say it; a dash for no number at all."""
    if bar.measured is None:
        return words.NOTHING
    written = words.value(bar.measured)
    try:
        unit = find(bar.name).unit
    except UsageError:  # of a run whose metrics were others
        return written
    return f"{written} {unit}" if unit in ("ms", "s", "us", "bytes") else written
