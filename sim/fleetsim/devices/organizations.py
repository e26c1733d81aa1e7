"""Which organization a device belongs to, told from its ordinal.

Each organization has a run of neighbouring ordinals, as long as its share says. So a shard knows
its devices' organizations without a list, and neighbours behind one gateway are mostly of one.
"""

import numpy as np
from numpy.typing import NDArray

from fleetsim.settings import FleetPlan


def first_ordinals(plan: FleetPlan) -> NDArray[np.int64]:
    """int64[n + 1]: where the devices of each of n organizations begin, and the end."""
    shares = np.array([one.share for one in plan.organizations])
    limits = np.concatenate([[0.0], np.cumsum(shares)]) / shares.sum()
    first: NDArray[np.int64] = np.rint(limits * plan.fleet.devices).astype(np.int64)
    return first


def organizations_of(plan: FleetPlan, device_ordinals: NDArray[np.int64]) -> NDArray[np.int32]:
    """The organization of each device, as an index into the plan's organizations."""
    within = np.searchsorted(first_ordinals(plan)[1:-1], device_ordinals, side="right")
    return within.astype(np.int32)


def sensors_by_organization(
    plan: FleetPlan, sensors_of_device: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many sensors each organization has; the argument is of every device of the fleet."""
    until = np.concatenate([[0], np.cumsum(sensors_of_device)])
    sensors: NDArray[np.int64] = np.diff(until[first_ordinals(plan)])
    return sensors
