"""Versions of device types: put once, kept, never changed; devices keep the one they have."""

import asyncio
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetplatform.client import ApiError, Client
from fleetplatform.database.pool import Pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.resources.devices import NewDevice, NewDevices
from fleetplatform.wire.resources.organizations import NewOrganization

replace = msgspec.structs.replace
ALL = ("air_quality_node", "cold_chain_tracker", "climate_v2", "power_meter")


@pytest.fixture
def pump(specification) -> DeviceTypeSpecification:
    """Version 1 of a device type of the test's own, with hardware revisions A and B."""
    return replace(
        specification("climate_v2"),
        name=f"pump {uuid.uuid4().hex[:8]}",
        version="1",
        hardware_revisions=("A", "B"),
        firmware={"1.0.0": ("A",)},
    )


def changed(pump: DeviceTypeSpecification, version: str) -> DeviceTypeSpecification:
    """The same with one sensor and one hardware revision."""
    return replace(
        pump,
        version=version,
        sensors={"pressure": pump.sensors["pressure"]},
        hardware_revisions=("B",),
        firmware={},
    )


async def refused(request: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await request
    return caught.value


async def test_versions_are_kept_and_readable(platform, pump):
    tenant = await platform.tenant()
    operator, client = platform.operator(), Client(platform.url, tenant.api_key)
    first = await operator.put_device_type(pump)
    second = await operator.put_device_type(changed(pump, "1.1 ü"))
    assert first.device_type_id == second.device_type_id
    assert second.versions == ("1", "1.1 ü")
    assert await client.device_type(pump.name) == second
    assert (await client.device_type(pump.name, "1")).specification == pump
    assert (await client.device_type(pump.name, "1.1 ü")) == second
    listed = [one for one in (await client.device_types()).device_types if one == second]
    assert listed == [second]
    again = await operator.put_device_type(pump)
    assert again.specification == pump
    assert (await client.device_type(pump.name)).specification == second.specification


async def test_unknown_names_and_versions(platform, pump):
    operator = platform.operator()
    await operator.put_device_type(pump)
    for name, version in ((pump.name, "9"), ("teapot", None), ("teapot", "1")):
        error = await refused(operator.device_type(name, version))
        assert (error.status, error.code) == (404, "not_found")
    stranger = Client(platform.url, "nobody")
    assert (await refused(stranger.device_types())).status == 401


async def test_a_version_never_changes(platform, pump):
    operator = platform.operator()
    await operator.put_device_type(pump)
    turned = replace(pump, sensors=dict(reversed(pump.sensors.items())))
    for other in (changed(pump, "1"), replace(pump, description="x"), turned):
        error = await refused(operator.put_device_type(other))
        assert (error.status, error.code) == (409, "conflict")
        assert "new version" in str(error)
    assert (await operator.device_type(pump.name)).specification == pump


async def test_of_two_at_once_one_is_refused(platform, pump):
    operator = platform.operator()
    both = (pump, changed(pump, "1"))
    found = await asyncio.gather(*map(operator.put_device_type, both), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["ApiError", "DeviceType"]
    kept = await operator.device_type(pump.name)
    assert kept.specification in both
    assert kept.versions == ("1",)


async def test_every_mistake_is_told_with_a_stable_code(platform, pump):
    bad = replace(pump, version="", firmware={"2.0.0": ("Z",)})
    error = await refused(platform.operator().put_device_type(bad))
    assert (error.status, error.code) == (422, "invalid")
    assert "version: " in str(error)
    assert "firmware.2.0.0: " in str(error)
    assert (await refused(platform.operator().device_type(pump.name))).status == 404


async def test_devices_keep_the_version_they_were_enrolled_with(platform, platform_rows, pump):
    operator, tenant = platform.operator(), await platform.tenant()
    await operator.put_device_type(pump)
    new = {
        serial: NewDevice(serial_number=serial, device_type=pump.name, device_type_version=version)
        for serial, version in (("old", None), ("new", None), ("asked", "1"))
    }
    await platform.enrol(tenant, new["old"])
    await operator.put_device_type(changed(pump, "2"))
    await platform.enrol(tenant, new["new"], new["asked"])
    client = Client(platform.url, tenant.api_key)
    found = {serial: await client.find_device(serial) for serial in new}
    assert {s: d.device_type_version for s, d in found.items() if d} == {
        "old": "1", "new": "2", "asked": "1"
    }  # fmt: skip
    assert {s: d.hardware_revision for s, d in found.items() if d} == {
        "old": "A", "new": "B", "asked": "A"
    }  # fmt: skip
    names = await platform_rows.fetch(
        "select device_id, array_agg(name order by position) as names from iot.sensors"
        " where organization_id = $1 group by device_id",
        tenant.organization_id,
    )
    by_id = {row["device_id"]: row["names"] for row in names}
    assert by_id[tenant.devices["old"].device_id] == list(pump.sensors)
    assert by_id[tenant.devices["asked"].device_id] == list(pump.sensors)
    assert by_id[tenant.devices["new"].device_id] == ["pressure"]


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        (
            {"hardware_revision": "C"},
            "unknown_hardware_revision",
            'no hardware revision "C", only "A", "B"',
        ),
        ({"hardware_revision": ""}, "unknown_hardware_revision", "no hardware revision"),
        ({"device_type_version": "7"}, "unknown_device_type", "version 7"),
    ],
)
async def test_a_device_is_one_of_its_type(platform, pump, wrong, code, says):
    operator, tenant = platform.operator(), await platform.tenant()
    await operator.put_device_type(pump)
    good = NewDevice(serial_number="b", device_type=pump.name, hardware_revision="B")
    bad = NewDevice(serial_number="x", device_type=pump.name, **wrong)
    client = Client(platform.url, tenant.api_key)
    error = await refused(client.enrol(NewDevices(devices=(good, bad))))
    assert (error.status, error.code) == (422, code)
    assert says in str(error)
    assert await client.find_device("b") is None
    await platform.enrol(tenant, good)
    found = await client.find_device("b")
    assert found is not None
    assert (found.device_type, found.hardware_revision) == (pump.name, "B")


@pytest.fixture
async def api(pool_as) -> Pool:
    """The pool of the API on a prepared database."""
    return await pool_as("iot_api")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_what_is_accepted_comes_back_equal(api, specifications, data):
    """The order of the sensors included."""
    unique = replace(data.draw(specifications), name=uuid.uuid4().hex)
    assert (await device_types.put(api, unique)).specification == unique
    found = (await device_types.read(api, unique.name, None)).specification
    assert found == unique
    assert list(found.sensors) == list(unique.sensors)


async def test_each_device_of_a_mixed_request_has_the_sensors_of_its_version(api, specification):
    """Twenty types and versions in one request."""
    kinds = [specification(name) for name in ALL]
    versions = [replace(k, version=f"{k.version}.{n}") for k in kinds for n in range(5)]
    for one in versions:
        await device_types.put(api, one)
    tenant = await organizations.create(api, NewOrganization(name="many"))
    new = [
        NewDevice(
            serial_number=f"d{n}",
            device_type=versions[n % 20].name,
            device_type_version=versions[n % 20].version,
        )
        for n in range(200)
    ]
    made = await devices.enrol(api, Tenant(tenant.organization_id), new)
    counts = [len(one.sensor_ids) for one in made.devices]
    assert counts == [len(versions[n % 20].sensors) for n in range(200)]


@pytest.mark.parametrize(
    ("version", "revision", "says"),
    [
        ("99.0", "2.0", 'only "2.0.0", "2.1.0"'),
        ("2.0.0", "2.1", 'only "2.1.0"'),
        ("2.1.0", "2.1", None),
        ("2.0.0", None, None),
    ],
)
async def test_firmware_must_fit_the_hardware(platform, version, revision, says):
    tenant = await platform.tenant()
    new = NewDevice(
        serial_number="f", device_type="climate_v2", hardware_revision=revision,
        firmware_version=version,
    )  # fmt: skip
    if says is None:
        await platform.enrol(tenant, new)
        return
    with pytest.raises(ApiError, match=says) as caught:
        await platform.enrol(tenant, new)
    assert (caught.value.status, caught.value.code) == (422, "unfit_firmware")
