"""Where the bytes of a reading go, and how long a disk lasts."""

from fleetstorm.report import charts, words
from fleetstorm.report.blocks import Block, Section, Table
from fleetstorm.results import Run
from fleetstorm.results.summary import Summary

ORDER = 70
_DAY_S = 86_400
_DISK_BYTES = 10**12


def render(run: Run) -> Section | None:
    """Bytes a reading by heap and index; what that makes of a disk."""
    cost = run.summary.resources
    if cost.bytes_per_reading is None or not cost.bytes_per_reading_by_part:
        return None
    parts = dict(sorted(cost.bytes_per_reading_by_part.items(), key=lambda item: -item[1]))
    says = f"{cost.bytes_per_reading:,.1f} bytes a reading in all."
    blocks: list[Block] = [
        charts.bars("Bytes a reading", says, "bytes", parts),
        _growth(run.summary, cost.bytes_per_reading),
    ]
    layout = run.summary.load.layout or "unknown"
    lead = f"Layout {layout}: the table's heap and each of its indexes, without WAL and backups."
    return Section("Storage", lead, blocks)


def _growth(summary: Summary, bytes_per_reading: float) -> Table:
    cost, stored_per_s = summary.resources, summary.load.stored_per_s
    daily = None if stored_per_s is None else stored_per_s * bytes_per_reading * _DAY_S
    lasts = words.NOTHING if not daily else f"{_DISK_BYTES / daily:,.1f} days"
    rows = [
        ("Heap at the end", words.size(cost.table_bytes)),
        ("Indexes at the end", words.size(cost.index_bytes)),
        ("Growth a day at the stored rate", words.size(daily)),
        ("A disk of 1 TB lasts, at that rate", lasts),
    ]
    return Table("Growth", ("Figure", ""), rows)
