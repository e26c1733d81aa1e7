"""Which devices of a fleet something happens to: an exact share of them, found by any shard."""

import numpy as np
from numpy.typing import NDArray

from fleetsim.devices.mix import types_of_fleet
from fleetsim.devices.population import Population
from fleetsim.draws import uniform
from fleetsim.settings import FleetPlan


def choose_share(
    share: float,
    stream: int,
    eligible: NDArray[np.bool_],
    plan: FleetPlan,
    population: Population,
) -> NDArray[np.bool_]:
    """Which devices of a shard's population are in a share, at least one, of the whole fleet's.

    eligible: by device type, whether its devices may be. Those with the smallest draws of `stream`
    in the whole fleet are taken, so that the share is met exactly and every shard finds the same.
    """
    may_be: NDArray[np.bool_] = eligible[population.device_type]
    if share >= 1:
        return may_be
    everyone = np.flatnonzero(eligible[types_of_fleet(plan)])
    count = min(max(1, round(share * len(everyone))), len(everyone))
    if not count or share <= 0:
        return np.zeros(population.devices, dtype=np.bool_)
    drawn = uniform(plan.seed, stream, everyone, 0)
    limit = np.partition(drawn, count - 1)[count - 1]
    chosen: NDArray[np.bool_] = uniform(plan.seed, stream, population.device_ordinal, 0) <= limit
    return may_be & chosen
