"""How long the writing of last contacts holds the database, slice by slice as ingest writes it."""

import time
import uuid
from datetime import UTC, datetime

import asyncpg
import pytest
import yaml

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import prepare_database
from fleetplatform.database.pool import open_pool
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.roles.ingest import CONTACT_ROWS_MAX
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.resources.organizations import NewOrganization

pytestmark = pytest.mark.bench

DEVICES = 25_000
ROUNDS = 6
WAL = "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8"
ENROL = """
insert into iot.devices (
    organization_id, device_id, device_type_id, device_type_version, hardware_revision,
    serial_number, device_status
)
select $1, id, t.device_type_id, t.version, 'revA', id::text, 'active'
from unnest($2::uuid[]) as id
cross join (select device_type_id, version from iot.device_type_versions limit 1) as t
"""


async def test_cost_of_contacts(database_url, make_settings) -> None:
    settings = make_settings()
    prepared = await prepare_database(database_url, settings)
    api = await open_pool(prepared.urls["iot_api"], settings.database, "iot_api")
    with open(f"{fleetconf.__path__[0]}/device_type/thermometer.yaml") as file:
        tree = yaml.safe_load(file)["specification"]
    await device_types.put(api, convert(tree, DeviceTypeSpecification))
    made = await organizations.create(api, NewOrganization(name="bench"))
    pool = await open_pool(prepared.urls["iot_ingest"], settings.database, "iot_ingest")
    owner = await asyncpg.connect(prepared.owner_url)
    ids = [uuid.uuid4() for _ in range(DEVICES)]
    await owner.execute(ENROL, made.organization_id, ids)
    wal = await owner.fetchval(WAL)
    for _ in range(ROUNDS):
        slices = []
        for start in range(0, DEVICES, CONTACT_ROWS_MAX):
            part = ids[start : start + CONTACT_ROWS_MAX]
            began = time.perf_counter()
            await devices.record_contact(pool, part, [datetime.now(UTC)] * len(part))
            slices.append((time.perf_counter() - began) * 1e3)
        wal_now = await owner.fetchval(WAL)
        print(
            f"{DEVICES} contacts: {sum(slices):.0f} ms, slowest slice {max(slices):.0f} ms,"
            f" {(wal_now - wal) / DEVICES:.0f} bytes of WAL each"
        )
        wal = wal_now
    await owner.close()
    await pool.close()
    await api.close()
