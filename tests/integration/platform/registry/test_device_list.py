"""Devices as a list: filters, order, pages, and that an index answers among many devices."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import NotFoundError
from fleetplatform.registry import device_groups, device_list, devices, organizations
from fleetplatform.registry.device_list import DeviceFilter
from fleetplatform.wire.paging import Page, parse_page
from fleetplatform.wire.resources.device_groups import NewDeviceGroup
from fleetplatform.wire.resources.devices import DeviceChange, NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization

from .conftest import CONTACT, Registry

MANY = 20_000
SORTS = ("serial_number", "created")

FLEET = (
    NewDevice(serial_number="g", device_type="gateway", firmware_version="2.0"),
    NewDevice(serial_number="b", device_type="thermometer", gateway="g", tags=("x", "y")),
    NewDevice(serial_number="a", device_type="thermometer", tags=("y", "x", "x", "z")),
    NewDevice(serial_number="c", device_type="thermometer", firmware_version="1.0", tags=("x",)),
)


async def serials(registry: Registry, tenant: Tenant, wanted: DeviceFilter, page: Page) -> Any:
    """All serial numbers of a list, page by page."""
    found: list[str] = []
    while True:
        part = await device_list.listed(registry.pool, tenant, wanted, page, CONTACT)
        assert len(part.devices) <= page.limit
        found += [one.serial_number for one in part.devices]
        if part.next_cursor is None:
            return found
        sort = f"-{page.sort}" if page.descending else page.sort
        page = parse_page(part.next_cursor, page.limit, sort, SORTS)


async def test_filters_are_joined_by_and(registry: Registry) -> None:
    tenant = await registry.tenant()
    ids = await registry.enrol(tenant, *FLEET)
    await registry.owner.execute(
        "insert into iot.device_contacts select organization_id, device_id, to_timestamp($2)"
        " from iot.devices where device_id = $1",
        ids["c"],
        CONTACT.now_us / 1e6,
    )
    everything = DeviceFilter()
    for wanted, expected in (
        (everything, "abcg"),
        (replace(everything, serial="b"), "b"),
        (replace(everything, type="thermometer"), "abc"),
        (replace(everything, type="teapot"), ""),
        (replace(everything, status="active"), "abcg"),
        (replace(everything, status="suspended"), ""),
        (replace(everything, tags=("x",)), "abc"),
        (replace(everything, tags=("x", "y")), "ab"),
        (replace(everything, tags=("x", "nowhere")), ""),
        (replace(everything, firmware="1.0"), "c"),
        (replace(everything, gateway_id=ids["g"]), "b"),
        (replace(everything, online=True), "c"),
        (replace(everything, online=False), "abg"),
        (replace(everything, tags=("x",), type="thermometer", online=False), "ab"),
        (replace(everything, group_id=uuid.uuid4()), ""),
    ):
        found = await serials(registry, tenant, wanted, Page(2, "serial_number"))
        assert found == list(expected), wanted


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_every_order_in_pages_of_any_size(registry: Registry, limit: int) -> None:
    tenant = await registry.tenant()
    for one in (FLEET[0], *FLEET[1:]):
        await registry.enrol(tenant, one)
    for sort, order in (("serial_number", "abcg"), ("created", "gbac")):
        for descending in (False, True):
            page = Page(limit, sort, descending)
            found = await serials(registry, tenant, DeviceFilter(), page)
            assert found == list(reversed(order) if descending else order)


async def test_a_parent_lists_the_devices_below_it_in_one_order(registry: Registry) -> None:
    parent = await registry.tenant()
    below = NewOrganization(name="below", parent_id=parent.organization)
    child = Tenant((await organizations.create(registry.pool, below)).organization_id)
    await registry.enrol(parent, *FLEET[:2])
    ids = await registry.enrol(child, *FLEET[2:])
    for limit in (1, 3, 10):
        for wanted, expected in ((DeviceFilter(), "abcg"), (DeviceFilter(tags=("x",)), "abc")):
            page = Page(limit, "serial_number")
            assert await serials(registry, parent, wanted, page) == list(expected)
    page = Page(10, "serial_number")
    assert await serials(registry, child, DeviceFilter(), page) == ["a", "c"]
    seen = await devices.read(registry.pool, parent, ids["a"], CONTACT)
    assert seen.organization_id == child.organization
    with pytest.raises(NotFoundError):
        await devices.change(
            registry.pool, parent, ids["a"], DeviceChange(tags=()), None, CONTACT
        )


async def test_a_revision_moves_with_a_real_change_only(registry: Registry) -> None:
    tenant = await registry.tenant()
    device = (await registry.enrol(tenant, FLEET[2]))["a"]
    pool = registry.pool
    before = await devices.read(pool, tenant, device, CONTACT)
    same = await devices.change(pool, tenant, device, DeviceChange(tags=("z", "y", "x")), None,
                                CONTACT)  # fmt: skip
    assert same.revision == before.revision
    changed = await devices.change(
        pool, tenant, device, DeviceChange(firmware_version="3"), before.revision, CONTACT
    )
    assert changed.revision > before.revision
    assert (changed.firmware_version, changed.tags) == ("3", ("x", "y", "z"))


@pytest.fixture(scope="session")
async def many(registry: Registry) -> Tenant:
    """An organization with many devices, of which few are special."""
    tenant = await registry.tenant()
    device = (await registry.enrol(tenant, FLEET[0]))["g"]
    await registry.owner.execute(
        "insert into iot.devices (organization_id, device_type_id, device_type_version,"
        " hardware_revision, serial_number, device_status, tags, firmware_version, gateway_id)"
        " select organization_id, case when n % 5000 = 0 then device_type_id else ("
        "  select device_type_id from iot.device_types where name = 'thermometer') end,"
        " case when n % 5000 = 0 then device_type_version else ("
        "  select version from iot.device_types where name = 'thermometer') end,"
        " hardware_revision, 's' || n, 'active',"
        " case when n % 2500 = 0 then array['all', 'rare'] else array['all'] end,"
        " case when n % 2500 = 1 then '9.9' else '1.0' end,"
        " case when n % 2500 = 2 then device_id end"
        f" from iot.devices, generate_series(1, {MANY}) as n where device_id = $1",
        device,
    )
    await registry.owner.execute(
        "update iot.devices set device_status = 'suspended'"
        " where organization_id = $1 and serial_number like 's%999'",
        tenant.organization,
    )
    for rule in ({"tags": "rare"}, {"tags": "all"}):
        new = NewDeviceGroup(name=str(rule), kind="dynamic", rule=rule)
        await device_groups.create(registry.pool, tenant, new)
    await registry.owner.execute("vacuum analyze iot.devices, iot.device_group_members")
    return tenant


VALUES: dict[str, Any] = {
    "serial": "s77", "type": "gateway", "status": "suspended", "tags": ("rare",),
    "firmware": "9.9", "gateway_id": uuid.UUID(int=7),
}  # fmt: skip


async def _pages_read(registry: Registry, tenant: Tenant, wanted: DeviceFilter, page: Page) -> int:
    """How many blocks of iot.devices and its indexes a question touches, as a person asks it."""
    async with transaction(registry.pool, tenant) as conn:
        plan = await conn.fetchval(
            "explain (analyze, buffers, format json) select * from iot.find_devices("
            "$1, $2, null, null, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            "serial_number" if page.sort == "serial_number" else "created_at", page.descending,
            page.limit + 1, wanted.serial, wanted.type, wanted.status, wanted.tags,
            wanted.group_id, wanted.firmware, wanted.gateway_id, None, wanted.online,
        )  # fmt: skip
    node = plan[0]["Plan"]
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("descending", [False, True])
async def test_a_page_of_many_is_read_by_an_index(
    registry: Registry, many: Tenant, sort: str, descending: bool
) -> None:
    """Less than the table has, even of a group that has almost all of its devices."""
    size = await registry.owner.fetchval("select pg_relation_size('iot.devices') / 8192")
    page = Page(20, sort, descending)
    groups = await registry.owner.fetch(
        "select group_id from iot.device_groups where organization_id = $1", many.organization
    )
    everything = DeviceFilter()
    asked = [everything, replace(everything, online=False), replace(everything, tags=("all",))]
    asked += [replace(everything, **{name: value}) for name, value in VALUES.items()]
    asked += [replace(everything, group_id=row["group_id"]) for row in groups]
    for _ in range(2):  # the first time catalogues are read too
        blocks = {str(one): await _pages_read(registry, many, one, page) for one in asked}
    assert {what: read for what, read in blocks.items() if read > size * 0.8} == {}
