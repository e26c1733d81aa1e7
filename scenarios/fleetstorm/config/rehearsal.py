"""A run tried out on no device at all, for what only the simulator itself can refuse.

A rate that no device keeps up, a fault of a sensor that nobody has, a recording that is cut off:
the shards would say so, but only after everything was started.
"""

from collections.abc import Callable

import numpy as np

from fleetsim.devices.population import Population
from fleetsim.errors import PlanError
from fleetsim.shard.sensing import Sensing
from fleetstorm.config.settings import RunConfig
from fleetstorm.timeline.coordinator import moments


def rehearse(config: RunConfig, where: Callable[[str], str]) -> list[str]:
    """One sentence for everything that the simulator will not do."""
    plan = config.fleet_plan(config.start or 0, "rehearsal")
    try:
        sensing = Sensing(plan, Population.of(plan, np.zeros(0, dtype=np.int64)))
    except PlanError as error:
        return [str(error)]
    problems = []
    span = config.span(plan.start_us)
    for moment, entry in moments(config.timeline, span):
        if moment.at_us >= span.end_us:
            continue
        try:
            for order in entry.action.orders(moment):
                sensing.apply(order)
        except PlanError as error:
            path = f"timeline[{moment.order}]"
            problems.append(f"{path} in {where(path)}: {error}")
    return problems
