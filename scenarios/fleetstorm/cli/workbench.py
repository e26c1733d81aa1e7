"""`list`, `validate` and `doctor`: looking, without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fleetconf import kinds, units
from fleetstorm.catalogue import SORTS, Item, items
from fleetstorm.cli.printing import console, say
from fleetstorm.config.compose import composer
from fleetstorm.config.settings import RunConfig
from fleetstorm.studies.matrix.cells import expand


def print_list(what: str | None, config_dir: Path | None) -> int:
    """What exists of one sort, or the sorts there are, with a line for each."""
    if what is None:
        found = [Item(name, sort.description) for name, sort in SORTS.items()]
    else:
        found = items(what, config_dir)
    width = max((len(item.name) for item in found), default=0)
    for item in found:
        say(f"{item.name:<{width}}  {item.description}")
    return 0


def validate_run(overrides: Sequence[str], config_dir: Path | None) -> int:
    """Compose and check; says what would run."""
    with composer(config_dir) as compose:
        config = compose.compose(overrides).config
        cells = expand(compose, overrides) if config.matrix is not None else []
    say(
        f"{config.name} is valid: {config.fleet.devices:,} devices, readings {_load(config)},"
        f" for {units.rounded(config.duration)}, {_count(len(config.timeline), 'entry', 'entries')}"
        f" in the timeline, {_count(len(config.bars), 'bar', 'bars')}."
    )
    if cells:
        say(f"It is a matrix of {_count(len(cells), 'run', 'runs')}:")
    for cell in cells:
        say(f"  {cell.number + 1:>3}  {cell.label}")
    return 0


def _load(config: RunConfig) -> str:
    """The load in words: a profile other than a steady one has it as its peak."""
    load = config.load
    profile = kinds.name_of(load.profile)
    every = f"one every {units.rounded(load.interval)} a sensor"
    said = every if load.rate is None else f"{units.format(load.rate, 'rate')} in all"
    said = said if profile == "steady" else f"at the peak {said} ({profile})"
    changes = sum(entry.name == "load" for entry in config.timeline)
    return f"{said} until the timeline changes it" if changes else said


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


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
