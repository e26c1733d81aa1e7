"""Which device is of which type, told from its ordinal."""

import numpy as np
from numpy.typing import NDArray

from fleetsim.draws import Purpose, uniform
from fleetsim.errors import PlanError
from fleetsim.settings import FleetPlan

_GOLDEN = 0.6180339887498949
_BLOCK = 1 << 20


def type_names(plan: FleetPlan) -> list[str]:
    """The device types of the mix, in order of name; raises PlanError for one that is unknown."""
    names = sorted(name for name, weight in plan.fleet.mix.items() if weight > 0)
    if not names:
        raise PlanError("fleet.mix names no device type with a weight above zero")
    for name in names:
        if name not in plan.device_types:
            known = ", ".join(sorted(plan.device_types))
            raise PlanError(f'fleet.mix: device type "{name}" is unknown; there are {known}')
    return names


def types_of(plan: FleetPlan, device_ordinals: NDArray[np.int64]) -> NDArray[np.int32]:
    """The type of each device, as an index into `type_names`.

    A Weyl sequence (begun where the seed says) in place of independent draws: any run of
    neighbouring ordinals holds the mix to within a few devices, so shards are alike.
    """
    weights = np.array([plan.fleet.mix[name] for name in type_names(plan)])
    limits = np.cumsum(weights)[:-1] / weights.sum()
    begin = uniform(plan.seed, Purpose.MIX * 1024, np.zeros(1, np.int64), 0)[0]
    place = (begin + device_ordinals * _GOLDEN) % 1.0
    kinds: NDArray[np.int32] = np.searchsorted(limits, place, side="right").astype(np.int32)
    return kinds


def types_of_fleet(plan: FleetPlan) -> NDArray[np.int32]:
    """The type of every device of the fleet, by ordinal."""
    kinds = np.empty(plan.fleet.devices, dtype=np.int32)
    for start in range(0, plan.fleet.devices, _BLOCK):
        stop = min(start + _BLOCK, plan.fleet.devices)
        kinds[start:stop] = types_of(plan, np.arange(start, stop, dtype=np.int64))
    return kinds
