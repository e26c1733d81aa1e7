"""The directory follows the registry, and what somebody holds of it never changes."""

import asyncio
import hashlib
import uuid
from typing import Any

import numpy as np
import pytest

from fleetplatform.database.pool import Pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.registry.directory import Directory
from fleetplatform.registry.freshness import PAUSE_S, Freshness
from fleetplatform.registry.identifiers import halves_of
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization


@pytest.fixture
async def registry(pool_as, specification) -> tuple[Pool, Pool, Any]:
    """Pools of api and ingest, and an organization; the device types are there."""
    api, ingest = await pool_as("iot_api"), await pool_as("iot_ingest")
    for name in ("thermometer", "climate_v2", "gateway"):
        await device_types.put(api, specification(name))
    made = await organizations.create(api, NewOrganization(name="one"))
    return api, ingest, made


def device(serial: str, kind: str = "thermometer", **more: Any) -> NewDevice:
    return NewDevice(serial_number=serial, device_type=kind, **more)


async def test_what_is_enrolled_is_found(registry):
    api, ingest, organization = registry
    directory = Directory()
    assert await directory.refresh(ingest)
    calibration = NewCalibration(sensor="temperature", multiplier=2, offset=3)
    enrolled = await devices.enrol(
        api,
        Tenant(organization.organization_id),
        [
            device("d1", "climate_v2", gateway="g"),
            device("g", "gateway"),
            device("d2", calibrations=(calibration,)),
        ],
    )
    assert await directory.refresh(ingest)
    assert not await directory.refresh(ingest)
    climate, gateway, own = enrolled.devices
    sensors = directory.find_sensors(*halves_of(climate.sensor_ids)).tolist()
    assert sensors == list(range(min(sensors), min(sensors) + 3))
    at = int(directory.sensor_device[sensors[0]])
    names = ["temperature", "humidity", "pressure", "wind", str(own.sensor_ids[0])]
    alone = directory.find_sensors(*halves_of(own.sensor_ids)).tolist()
    assert directory.find_by_name(at, names) == [*sensors, -1, *alone]
    assert directory.sensor_type[sensors].tolist() == [1, 2, 3]
    assert directory.value_max[sensors].tolist() == [85.0, 100.0, 1100.0]
    assert own.token
    assert gateway.token
    found = directory.find_token(hashlib.sha256(gateway.token.encode()).digest())
    assert directory.device_gateway[at] == found
    assert directory.device_type_names[directory.device_type[found]] == "gateway"
    assert directory.find_token(bytes(32)) == -1
    assert (directory.calibrations.newest > 0).tolist() == [s == alone[0] for s in range(4)]
    assert directory.calibrations.multiplier[directory.calibrations.newest[alone[0]]] == 2
    assert directory.organizations == [organization.organization_id]


async def test_indexes_stay_and_old_arrays_are_left_alone(registry, owner):
    api, ingest, organization = registry
    directory = Directory()
    tenant = Tenant(organization.organization_id)
    first = await devices.enrol(api, tenant, [device("a"), device("b")])
    await directory.refresh(ingest)
    ids = [one.sensor_ids[0] for one in first.devices]
    before = directory.find_sensors(*halves_of(ids)).tolist()
    held = directory.device_active
    copy = held.copy()
    await devices.enrol(api, tenant, [device(f"n{n}") for n in range(500)])
    await owner.execute("update iot.devices set device_status = 'suspended'")
    await directory.refresh(ingest)
    assert directory.find_sensors(*halves_of(ids)).tolist() == before
    assert not directory.device_active.any()
    assert (held == copy).all()
    assert directory.sensor_count == 502
    assert directory.find_sensors(*halves_of([uuid.uuid4()])).tolist() == [-1]


async def test_a_refresh_sees_each_change_in_the_order_of_commits(registry):
    """Enrolments at once, and refreshes while they commit: none is missed."""
    api, ingest, organization = registry
    directory = Directory()
    done = asyncio.Event()

    async def enrol(worker: int) -> None:
        for n in range(10):
            tenant = Tenant(organization.organization_id)
            await devices.enrol(api, tenant, [device(f"w{worker}-{n}")])

    async def refresh() -> None:
        while not done.is_set():
            await directory.refresh(ingest)

    refreshing = asyncio.create_task(refresh())
    await asyncio.gather(*(enrol(worker) for worker in range(4)))
    done.set()
    await refreshing
    await directory.refresh(ingest)
    assert directory.sensor_count == 40
    assert len(np.unique(directory.device_low)) == directory.device_count == 40


class CountedDirectory(Directory):
    """Counts how often the database was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.refreshes = 0

    async def refresh(self, pool: Pool) -> bool:
        self.refreshes += 1
        return await super().refresh(pool)


async def test_however_many_ask_the_database_is_asked_twice(registry, prepared):
    _, ingest, _ = registry
    directory = CountedDirectory()
    freshness = Freshness(directory, ingest, prepared.urls["iot_ingest"])
    await asyncio.gather(*(freshness.catch_up() for _ in range(500)))
    assert directory.refreshes <= 2


async def test_whoever_keeps_asking_waits(registry, prepared):
    _, ingest, _ = registry
    directory = CountedDirectory()
    freshness = Freshness(directory, ingest, prepared.urls["iot_ingest"])
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(5):
        await freshness.catch_up()
    assert loop.time() - began >= 4 * PAUSE_S * 0.9


async def test_a_notification_brings_the_news(registry, prepared, eventually):
    api, ingest, organization = registry
    directory = Directory()
    freshness = Freshness(directory, ingest, prepared.urls["iot_ingest"])
    await freshness.start()
    try:
        await devices.enrol(api, Tenant(organization.organization_id), [device("d")])
        await eventually(lambda: directory.sensor_count, 4)
    finally:
        await freshness.close()


async def test_two_thousand_devices_are_enrolled_in_one_go(registry, owner):
    api, ingest, organization = registry
    many = [device(f"g{n}", "gateway") for n in range(4)]
    many += [device(f"d{n}", "climate_v2", gateway=f"g{n % 4}") for n in range(2000)]
    enrolled = await devices.enrol(api, Tenant(organization.organization_id), many)
    assert [one.token is None for one in enrolled.devices] == [False] * 4 + [True] * 2000
    ids = [sensor for one in enrolled.devices for sensor in one.sensor_ids]
    assert len(set(ids)) == 6000
    rows = await owner.fetch(
        "select device_id, array_agg(sensor_id order by position) as sensors from iot.sensors"
        " group by 1"
    )
    by_device = {row["device_id"]: tuple(row["sensors"]) for row in rows}
    assert by_device == {one.device_id: one.sensor_ids for one in enrolled.devices[4:]}
    directory = Directory()
    await directory.refresh(ingest)
    assert (directory.find_sensors(*halves_of(ids)) >= 0).all()
