"""What the audit of changes costs a bulk enrolment."""

import time
import uuid

import asyncpg
import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization

pytestmark = pytest.mark.bench

DEVICES = 2_000
ROUNDS = 5


async def _enrol(pool, tenant: Tenant) -> float:
    new = [
        NewDevice(serial_number=f"{uuid.uuid4()}", device_type="climate_v2")
        for _ in range(DEVICES)
    ]
    began = time.perf_counter()
    await devices.enrol(pool, tenant, new)
    return time.perf_counter() - began


async def test_cost_of_the_audit(database_url, make_settings) -> None:
    settings = make_settings()
    prepared = await prepare_database(database_url, settings)
    pool = await open_pool(prepared.urls["iot_api"], settings.database, "iot_api")
    owner = await asyncpg.connect(prepared.owner_url)
    with open(f"{fleetconf.__path__[0]}/device_type/climate_v2.yaml") as file:
        tree = yaml.safe_load(file)["specification"]
    await device_types.put(pool, convert(tree, DeviceTypeSpecification))
    made = await organizations.create(pool, NewOrganization(name="bench"))
    tenant = Tenant(made.organization_id, "api_key:bench")
    tables = await owner.fetch("select table_name from iot_private.audited_tables")
    for how in ("enable", "disable", "enable", "disable"):
        for (table,) in tables:
            for event in ("insert", "update", "delete"):
                await owner.execute(f"alter table {table} {how} trigger record_{event}")
        seconds = sorted([await _enrol(pool, tenant) for _ in range(ROUNDS)])
        print(
            f"audit {how}d: {seconds[ROUNDS // 2] * 1e3:.0f} ms for {DEVICES} devices (median of"
            f" {ROUNDS}, best {seconds[0] * 1e3:.0f})"
        )
    await owner.close()
    await pool.close()
