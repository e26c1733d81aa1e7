"""`list`, `validate` and `doctor`: looking, without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fleetconf import units
from fleetstorm.catalogue import SORTS, items
from fleetstorm.cli.printing import console, say
from fleetstorm.config.compose import composer


def print_list(what: str | None, config_dir: Path | None) -> int:
    """What exists of one sort, or the sorts there are."""
    if what is None:
        say("fleetstorm list " + "|".join(SORTS))
        return 0
    found = items(what, config_dir)
    width = max((len(item.name) for item in found), default=0)
    for item in found:
        say(f"{item.name:<{width}}  {item.description}")
    return 0


def validate_run(overrides: Sequence[str], config_dir: Path | None) -> int:
    """Compose and check; says what would run."""
    with composer(config_dir) as compose:
        config = compose.compose(overrides).config
    fleet, load = config.fleet, config.load
    every = f"one every {units.format(load.interval, 'duration')} a sensor"
    readings = f"{units.format(load.rate, 'rate')} in all" if load.rate else every
    say(
        f"{config.name} is valid: {fleet.devices:,} devices, readings {readings},"
        f" for {units.format(config.duration, 'duration')}, {len(config.timeline)} entries in the"
        f" timeline, {len(config.bars)} bars."
    )
    return 0


def examine() -> int:
    """Look at everything a run needs; exit 0 if a run can start here, 5 if not."""
    from fleetstorm.cli.doctor import findings

    failed = 0
    out = console()
    for finding in findings():
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        out.print(f"{mark} {finding.name:<16}", end="")
        out.print(finding.detail, markup=False)
        failed += not finding.ok
    say("\nA run can start here." if not failed else f"\n{failed} of these must be mended first.")
    return 5 if failed else 0
