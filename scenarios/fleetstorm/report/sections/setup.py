"""What it was that ran, and on what."""

from fleetstorm.report import words
from fleetstorm.report.blocks import Section, Source, Table
from fleetstorm.results import Run
from fleetstorm.results.summary import Summary

ORDER = 90


def render(run: Run) -> Section | None:
    """Run, machine, database, configuration."""
    tables = [_run(run.summary), _machine(run.summary)]
    source = [Source("The whole configuration (config.yaml)", run.config)] if run.config else []
    lead = "Enough to do it again."
    return Section("Setup", lead, [*tables, *source])


def _run(summary: Summary) -> Table:
    run, load = summary.run, summary.load
    speed = run.speed if isinstance(run.speed, str) else f"{run.speed:g} ×"
    rows = [
        ("Scenario", run.scenario),
        ("Run", run.id),
        ("Seed", str(run.seed)),
        ("Digest of what was measured", run.digest or words.NOTHING),
        ("Started", run.started_at),
        ("Took", words.seconds(run.wall_s)),
        ("Virtual time of the load", words.seconds(run.virtual_s)),
        ("Speed", speed),
        ("Transport", load.transport or words.NOTHING),
        ("Engine", load.engine or words.NOTHING),
        ("Layout", load.layout or words.NOTHING),
        ("Indexes", ", ".join(load.indexes or ()) or words.NOTHING),
        ("Requests", words.count(load.requests)),
        ("Fleetstorm", run.version + (f" ({run.git})" if run.git else "")),
        ("Configuration, SHA-256", run.config_sha256),
    ]
    return Table("Run", ("", ""), rows, left=frozenset({1}))


def _machine(summary: Summary) -> Table:
    machine = summary.machine
    rows = [
        ("Processor", machine.cpu),
        ("Cores", str(machine.cores)),
        ("Memory", words.size(machine.memory_bytes)),
        ("System", machine.os),
        ("Python", machine.python),
        ("PostgreSQL", machine.postgres or words.NOTHING),
        ("fsync", words.yes_no(machine.fsync)),
        ("full_page_writes", words.yes_no(machine.full_page_writes)),
        ("synchronous_commit", machine.synchronous_commit or words.NOTHING),
    ]
    return Table("Machine and database", ("", ""), rows, left=frozenset({1}))
