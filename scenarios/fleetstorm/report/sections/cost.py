"""What the run cost: CPU time, memory, writing, waiting."""

from fleetstorm.report import charts, words
from fleetstorm.report.blocks import Block, Section, Table
from fleetstorm.report.recordings import series
from fleetstorm.results import Run
from fleetstorm.results.summary import Summary

ORDER = 60
_WAITS_MAX = 8
_PLATFORM = ("postgres", "service")
_PARTS = (*_PLATFORM, "shards", "driver")


def render(run: Run) -> Section | None:
    """CPU and memory by part, CPU over time, what the database waited for."""
    cost = run.summary.resources
    if not cost.cpu_s:
        return None
    blocks: list[Block] = [_parts(run.summary)]
    used = {name: one.per_second() for name, one in series(run, "resources.cpu_s").items()}
    ran = [part for part in _order(used) if part in cost.cpu_s]
    ordered = {part: used[part] for part in ran if len(used[part]) > 1}
    if ordered:
        says = f"The machine has {run.summary.machine.cores} cores."
        blocks.append(charts.areas("Cores in use", says, "cores", ordered))
    blocks.append(_figures(run.summary))
    if cost.waits:
        blocks.append(_waits(cost.waits))
    lead = (
        "The simulator shares the machine; its part is listed apart."
        if _platform_ran(run.summary)
        else "Only the simulator ran on this machine."
    )
    return Section("Resources", lead, blocks)


def _platform_ran(summary: Summary) -> bool:
    """Whether a part of the platform used this machine; a share of CPU time is then of all used."""
    cpu_s = summary.resources.cpu_s or {}
    return any(cpu_s.get(part) for part in _PLATFORM)


def _order(parts: object) -> list[str]:
    names = set(parts) if isinstance(parts, dict) else set()
    return [part for part in _PARTS if part in names] + sorted(names - set(_PARTS))


def _parts(summary: Summary) -> Table:
    cost = summary.resources
    cpu, memory = cost.cpu_s or {}, cost.rss_bytes_max or {}
    total = sum(cpu.values()) or 1.0
    rows = [
        (
            part,
            words.seconds(cpu[part]),
            words.share(cpu[part] / total),
            words.size(memory.get(part)),
        )
        for part in _order(cpu)
    ]
    rows.append(("all", words.seconds(sum(cpu.values())), words.share(1), ""))
    columns = ("Part", "CPU time", "of all", "Memory, at most")
    return Table("By part of the run", columns, rows, totals=frozenset({len(rows) - 1}))


def _figures(summary: Summary) -> Table:
    cost, generator, stored = summary.resources, summary.generator, summary.load.acknowledged
    wal = cost.wal_bytes / stored if cost.wal_bytes is not None and stored else None
    cpu_us = cost.cpu_us_per_reading
    base = "the CPU time used" if _platform_ran(summary) else "what all cores could give"
    simulator = [
        (f"Simulator's share of {base}", words.share(generator.cpu_share)),
        ("Readings handed to the wire late, p99", words.ms(generator.schedule_lag_ms_p99)),
    ]
    if not _platform_ran(summary) and cost.wal_bytes is None:
        return Table("Whether the simulator kept up", ("Figure", ""), simulator)
    rows = [
        (
            "CPU time of database and service a reading",
            words.NOTHING if cpu_us is None else f"{cpu_us:.3g} µs",
        ),
        ("Written ahead (WAL)", words.size(cost.wal_bytes)),
        ("Written ahead a reading", words.size(wal)),
        *simulator,
    ]
    return Table("What a reading costs, and whether the simulator kept up", ("Figure", ""), rows)


def _waits(waits: dict[str, int]) -> Table:
    total = sum(waits.values())
    shown = sorted(waits.items(), key=lambda item: -item[1])[:_WAITS_MAX]
    rows = [(event, words.count(n), words.share(n / total)) for event, n in shown]
    columns = ("Waiting for", "Samples", "of all")
    return Table("What busy sessions of the database waited for, looked at once a second",
                 columns, rows)  # fmt: skip
