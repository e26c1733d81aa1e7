"""How fast devices make first contact, and how fast a chain is judged. Figures, never asserted."""

import asyncio
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pki import root

import fleetconf
from fleetconf.convert import convert
from fleetplatform.admin import prepare_database
from fleetplatform.control.provisioning import provision
from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import certificates, chains, device_types, organizations
from fleetplatform.registry.chains import Authority
from fleetplatform.registry.x509 import read_chain
from fleetplatform.wire.device_type import DeviceTypeSpecification
from fleetplatform.wire.resources.certificates import NewCertificateAuthority
from fleetplatform.wire.resources.organizations import NewOrganization

pytestmark = pytest.mark.bench
DEVICES = 400
AT_ONCE = 4


def _climate_station() -> DeviceTypeSpecification:
    path = Path(fleetconf.__file__).parent / "device_type" / "climate_v2.yaml"
    return convert(yaml.safe_load(path.read_text())["specification"], DeviceTypeSpecification)


def test_judging_a_chain():
    factory = root()
    device = factory.authority("line").issue("d1")
    authority = Authority(uuid.uuid4(), factory.certificate, None, None, True)
    start_s = time.perf_counter()
    for _ in range(DEVICES):
        chains.judge(read_chain(device.chain), [authority], datetime.now(UTC))
    print(f"a chain of two: {(time.perf_counter() - start_s) / DEVICES * 1e6:.0f} us")


async def test_first_contacts(database_url, make_settings):
    settings = make_settings()
    urls = (await prepare_database(database_url, settings)).urls
    api = await open_pool(urls["iot_api"], settings.database, "iot_api")
    await device_types.put(api, _climate_station())
    made = await organizations.create(api, NewOrganization(name="one"))
    factory = root()
    new = NewCertificateAuthority(name="f", certificate=factory.pem, device_type="climate_v2")
    await certificates.trust(api, Tenant(made.organization_id), new)
    contacts = iter([factory.issue(f"d{n}").contact(f"d{n}") for n in range(DEVICES)])

    async def come() -> None:
        for contact in contacts:
            await provision(api, contact, 3600.0)

    start_s = time.perf_counter()
    await asyncio.gather(*(come() for _ in range(AT_ONCE)))
    rate = DEVICES / (time.perf_counter() - start_s)
    await api.close()
    print(f"first contacts, {AT_ONCE} at once: {rate:.0f} a second")
