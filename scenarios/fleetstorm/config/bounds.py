"""How much, how long and where a run may be: bounds that are the run's, not a house's."""

import os
from collections.abc import Iterator
from pathlib import Path

from fleetconf import units
from fleetconf.place import show
from fleetstorm.config.rules import Problem
from fleetstorm.config.settings import RunConfig

DEVICES_MAX = 10_000_000
PORT_MAX = 65_535
CONNECTIONS_MIN = 2
"""A batch holds one while a partition is made over another."""
_POSTGRES = "postgresql://"


def check_bounds(config: RunConfig) -> Iterator[Problem]:
    """Everything that is out of bounds."""
    yield from _fleet(config)
    yield from _load(config)
    yield from _timeline(config)
    yield from _platform(config)
    yield from _out(config)


def _fleet(config: RunConfig) -> Iterator[Problem]:
    fleet = config.fleet
    if fleet.devices > DEVICES_MAX:
        yield (
            "fleet.devices",
            f"{fleet.devices} is out of range; it must be at most {DEVICES_MAX}",
        )
    if fleet.devices_per_shard is None and fleet.shards > fleet.devices:
        yield (
            "fleet.shards",
            (
                f"{fleet.shards} shards cannot share {fleet.devices} devices;"
                f" it must be at most {fleet.devices}"
            ),
        )


def _load(config: RunConfig) -> Iterator[Problem]:
    rates = [("load.rate", config.load.rate)]
    for index, entry in enumerate(config.timeline):
        path = f"timeline[{index}].{entry.name}.rate"
        rates.append((path, getattr(entry.action, "rate", None)))
    for path, rate in rates:
        if rate is not None and rate <= 0:
            yield path, f"{units.format(rate, 'rate')} is out of range; it must be more than 0/s"


def _timeline(config: RunConfig) -> Iterator[Problem]:
    for index, entry in enumerate(config.timeline):
        if entry.at_s >= config.duration:
            at, end = (units.format(s, "duration") for s in (entry.at_s, config.duration))
            yield (
                f"timeline[{index}].at",
                (
                    f"{entry.name} at {at} would never happen, for the load ends after {end};"
                    " make duration longer, or take the entry out"
                ),
            )


def _platform(config: RunConfig) -> Iterator[Problem]:
    port, url = config.platform.port, config.platform.database.url
    if port > PORT_MAX:
        yield "platform.port", f"{port} is out of range; it must be at most {PORT_MAX}"
    connections = config.platform.database.connections
    if connections < CONNECTIONS_MIN:
        yield (
            "platform.database.connections",
            f"{connections} is out of range; it must be at least {CONNECTIONS_MIN}",
        )
    if url is not None and not url.startswith(_POSTGRES):
        scheme = f"{url.split('://')[0]}://" if "://" in url else "no scheme"
        yield (
            "platform.database.url",
            (f"it begins with {scheme}; write {_POSTGRES}user:password@host/db"),
        )


def _out(config: RunConfig) -> Iterator[Problem]:
    if not config.out:
        return
    out = Path(config.out)
    there = next((path for path in (out, *out.parents) if os.path.exists(path)), None)
    if there is not None and not there.is_dir():
        yield "out", f"{show(str(there))} is a file, not a folder; choose another"
