"""Which devices are a shard's: contiguous ranges of ordinals, known without a list."""

import numpy as np
from numpy.typing import NDArray

from fleetsim.settings import FleetSettings


def shard_count(fleet: FleetSettings) -> int:
    """How many shards a fleet is spread over; never more than it has devices."""
    if fleet.devices_per_shard:
        return max(1, -(-fleet.devices // fleet.devices_per_shard))
    return max(1, min(fleet.shards, fleet.devices))


def device_ordinals(fleet: FleetSettings, shard: int) -> NDArray[np.int64]:
    """The ordinals of one shard's devices, ascending; sizes differ by one at most.

    With `devices_per_shard` all shards but the last have exactly that many.
    """
    devices = fleet.devices
    if fleet.devices_per_shard:
        first = shard * fleet.devices_per_shard
        return np.arange(first, min(first + fleet.devices_per_shard, devices), dtype=np.int64)
    shards = shard_count(fleet)
    return np.arange(devices * shard // shards, devices * (shard + 1) // shards, dtype=np.int64)
