"""Which devices are whose: every device once, in order, in even shares."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.settings import FleetSettings
from fleetsim.shard.share import device_ordinals, shard_count


def _fleet(devices: int, shards: int, devices_per_shard: int | None) -> FleetSettings:
    return FleetSettings(
        devices=devices,
        mix={"thermometer": 1.0},
        shards=shards,
        devices_per_shard=devices_per_shard,
        devices_per_gateway=1000,
        regions={},
    )


@given(
    st.integers(1, 3000), st.integers(1, 50), st.one_of(st.none(), st.integers(1, 3500))
)
def test_every_device_is_in_exactly_one_shard(
    devices: int, shards: int, devices_per_shard: int | None
) -> None:
    fleet = _fleet(devices, shards, devices_per_shard)
    shares = [device_ordinals(fleet, shard) for shard in range(shard_count(fleet))]
    assert np.concatenate(shares).tolist() == list(range(devices))
    sizes = [len(share) for share in shares]
    assert min(sizes) > 0
    if devices_per_shard is None:
        assert max(sizes) - min(sizes) <= 1
    else:
        assert set(sizes[:-1]) <= {devices_per_shard}


def test_devices_per_shard_wins_over_shards() -> None:
    assert shard_count(_fleet(20, 4, 1)) == 20
    assert shard_count(_fleet(20, 4, None)) == 4
    assert shard_count(_fleet(2, 4, None)) == 2
