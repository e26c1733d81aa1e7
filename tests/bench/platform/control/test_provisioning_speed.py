"""How fast devices make first contact, and how fast a chain is judged. Figures, never asserted."""

import asyncio
import time
import uuid
from datetime import UTC, datetime

import pytest
from pki import root

from fleetplatform.control.provisioning import provision
from fleetplatform.database.tenancy import Tenant
from fleetplatform.registry import certificates, chains, device_types, organizations
from fleetplatform.registry.chains import Authority
from fleetplatform.registry.x509 import read_chain
from fleetplatform.wire.resources.certificates import NewCertificateAuthority
from fleetplatform.wire.resources.organizations import NewOrganization

pytestmark = pytest.mark.bench
DEVICES = 400
AT_ONCE = 4


def test_judging_a_chain():
    factory = root()
    device = factory.authority("line").issue("d1")
    authority = Authority(uuid.uuid4(), factory.certificate, None, None, True)
    start_s = time.perf_counter()
    for _ in range(DEVICES):
        chains.judge(read_chain(device.chain), [authority], datetime.now(UTC))
    print(f"a chain of two: {(time.perf_counter() - start_s) / DEVICES * 1e6:.0f} us")


async def test_first_contacts(pool_as, specification):
    api = await pool_as("iot_api")
    await device_types.put(api, specification("climate_v2"))
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
    print(f"first contacts, {AT_ONCE} at once: {rate:.0f} a second")
