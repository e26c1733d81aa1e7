"""What the simulator itself took, and how late it was: whether it was the limit."""

from collections.abc import Mapping

from fleetsim.ledger.histogram import Histogram
from fleetstorm.results.summary import Generator

PARTS = ("shards", "driver")
"""The parts that make the load; all others serve it."""


def generator_summary(
    schedule_lag: Histogram, cpu_s: Mapping[str, float], wall_s: float, cores: int
) -> Generator:
    """How late readings were, and which share of the CPU time went into making them.

    The share is of the CPU time that all parts used. Where no part of the platform ran here (it
    is elsewhere, or there is none) that would always be all of it, so the share is of what this
    machine's cores could give over `wall_s`. The report names the base.
    """
    lag_us = schedule_lag.percentile(99)
    own = sum(cpu_s.get(part, 0.0) for part in PARTS)
    served = sum(used for part, used in cpu_s.items() if part not in PARTS)
    whole = own + served if served else wall_s * cores
    return Generator(
        schedule_lag_ms_p99=None if lag_us is None else lag_us / 1000,
        cpu_share=min(1.0, own / whole) if whole > 0 else None,
    )
