"""Whose a device is follows from its ordinal, and gateways never mix organizations."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fleetsim.devices.organizations import first_ordinals, organizations_of
from fleetsim.devices.population import Population
from fleetsim.settings import FleetOrganization
from fleetsim.shard.cut import Senders
from fleetsim.shard.share import device_ordinals


def of_shares(plan, *shares: float):
    organizations = tuple(
        FleetOrganization(name=f"o{i}", share=share, token="") for i, share in enumerate(shares)
    )
    return msgspec.structs.replace(plan, organizations=organizations)


def test_one_organization_has_all_devices(make_plan):
    plan = make_plan(devices=7)
    assert first_ordinals(plan).tolist() == [0, 7]
    assert organizations_of(plan, np.arange(7)).tolist() == [0] * 7


def test_each_organization_has_the_share_of_its_weight(make_plan):
    plan = of_shares(make_plan(devices=100), 1, 0, 7, 2)
    assert first_ordinals(plan).tolist() == [0, 10, 10, 80, 100]
    assert np.bincount(organizations_of(plan, np.arange(100))).tolist() == [10, 0, 70, 20]


@given(data=st.data())
def test_shards_agree_on_whose_a_device_is(make_plan, data):
    devices = data.draw(st.integers(1, 300))
    shares = data.draw(st.lists(st.floats(0.01, 100), min_size=1, max_size=12))
    shards = data.draw(st.integers(1, devices))
    plan = of_shares(make_plan(devices=devices), *shares)
    fleet = msgspec.structs.replace(plan.fleet, shards=shards)
    plan = msgspec.structs.replace(plan, fleet=fleet)
    parts = [organizations_of(plan, device_ordinals(plan.fleet, i)) for i in range(shards)]
    whole = np.concatenate(parts)
    assert (np.diff(whole) >= 0).all()
    assert np.bincount(whole, minlength=len(shares)).tolist() == np.diff(
        first_ordinals(plan)
    ).tolist()


def test_a_population_knows_whose_its_devices_are_and_how_many_sensors_each_has(make_plan):
    plan = of_shares(make_plan(devices=40), 3, 1)
    whole = Population.of(plan, np.arange(40))
    assert whole.organization_sensors.sum() == whole.sensors == whole.fleet_sensors
    own = np.bincount(whole.organization[whole.sensor_device])
    assert own.tolist() == whole.organization_sensors.tolist()
    part = Population.of(plan, np.arange(25, 40))
    assert part.organization.tolist() == [0] * 5 + [1] * 10
    assert part.organization_sensors.tolist() == whole.organization_sensors.tolist()


@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=8).filter(any),
    size=st.one_of(st.none(), st.integers(1, 20)),
)
def test_a_gateway_has_devices_of_one_organization(sizes, size):
    organization = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    devices = len(organization)
    senders = Senders(np.arange(devices, dtype=np.int32), organization, size)
    assert senders.organization[senders.of_device].tolist() == organization.tolist()
    assert senders.count == sum(-(-n // (size or 1)) for n in sizes)
    assert np.bincount(senders.of_device).max() <= (size or 1)
