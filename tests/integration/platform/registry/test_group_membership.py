"""The members of a dynamic group are the devices that match its rule, after every change.

What a rule means is written a second time, in Python, and for some rules a third time in SQL.
"""

import asyncio
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.registry import device_groups
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.device_groups import DeviceGroupChange, NewDeviceGroup
from fleetplatform.wire.resources.devices import NewDevice

from .conftest import Registry
from .fleets import FIRMWARE, NEW, PLACE, RULES, SPOTS, STEPS, TAGS, Fleet, check_all


@settings(max_examples=30)
@given(first=st.lists(NEW, min_size=2, max_size=6), steps=st.lists(STEPS, min_size=3, max_size=12))
async def test_membership_always_equals_the_rules_result(
    registry: Registry, first: list[Any], steps: list[Any]
) -> None:
    fleet = Fleet(registry, await registry.tenant())
    await fleet.group({"status": "active"})
    await fleet.enrol(first)
    for step in steps:
        await fleet.step(*step)
        await check_all(registry, fleet.tenant, fleet.rules)


@settings(max_examples=40)
@given(rules=st.lists(RULES, min_size=1, max_size=6))
async def test_any_rule_over_all_kinds_of_devices(
    registry: Registry, rules: list[Any]
) -> None:
    fleet = Fleet(registry, await registry.tenant())
    await fleet.enrol(
        [
            (prefix, tags, firmware, len(tags) == 1)
            for prefix in ("x", "x1", "y%")
            for tags in ((), ("a",), ("a", "b"), ("c", "b"))
            for firmware in (None, *FIRMWARE)
        ]
    )
    for at, device in enumerate(fleet.devices[::7]):
        await fleet.place(device, SPOTS[at % len(SPOTS)])
    for rule in rules:
        await fleet.group(rule)
    await check_all(registry, fleet.tenant, fleet.rules)


@pytest.mark.parametrize(
    ("rule", "condition"),
    [
        ({"tags": ["a", "b"]}, "tags @> '{a,b}'"),
        ({"not": {"firmware": "1.0"}}, "firmware_version is distinct from '1.0'"),
        ({"type": "gateway", "serial_prefix": "x_"}, "false"),
        (
            {"any": [{"status": "suspended"}, {"firmware": {"below": "2"}}]},
            "device_status = 'suspended' or firmware_version in ('1.0', '1.0.0', '1.2')",
        ),
    ],
)
async def test_membership_equals_a_query_of_ones_own(
    registry: Registry, rule: Any, condition: str
) -> None:
    fleet = Fleet(registry, await registry.tenant())
    group = await fleet.group(rule)
    draws = random.Random(4)
    await fleet.enrol(
        [
            (f"x{n}", tuple(draws.sample(TAGS, 2)), draws.choice((None, *FIRMWARE)), n % 7 == 0)
            for n in range(300)
        ]
    )
    for device in fleet.devices[::3]:
        await fleet.move(device, "suspended")
    for device in fleet.devices[::4]:
        await fleet.tags(device, ())
    differing = await registry.owner.fetch(
        f"select device_id from iot.devices where organization_id = $1 and ({condition})"
        " except select device_id from iot.device_group_members where group_id = $2"
        " union all (select device_id from iot.device_group_members where group_id = $2"
        f" except select device_id from iot.devices where organization_id = $1 and ({condition}))",
        fleet.tenant.organization,
        group,
    )
    assert differing == []


async def test_another_organizations_devices_are_no_members(registry: Registry) -> None:
    mine, other = [Fleet(registry, await registry.tenant()) for _ in range(2)]
    for fleet in (mine, other):
        await fleet.enrol([("x", ("a",), None, False)] * 2)
    group = await mine.group({"tags": "a"})
    await other.group({"tags": "a"})
    await other.tags(other.devices[0], ("a", "b"))
    assert await registry.members(group) == set(mine.devices)


async def until_somebody_waits(registry: Registry) -> None:
    """Returns when a session of this database waits for an advisory lock."""
    async with asyncio.timeout(20):
        while not await registry.owner.fetchval(
            "select exists (select from pg_locks where not granted and locktype = 'advisory'"
            " and database = (select oid from pg_database where datname = current_database()))"
        ):
            await asyncio.sleep(0.01)


async def test_a_new_group_waits_for_a_device_that_changes(registry: Registry) -> None:
    fleet = Fleet(registry, await registry.tenant())
    await fleet.enrol([("x", (), None, False)])
    async with transaction(registry.pool, fleet.tenant) as conn:
        await conn.execute("update iot.devices set tags = '{a}'")
        group = asyncio.create_task(fleet.group({"tags": "a"}))
        await until_somebody_waits(registry)
    assert await registry.members(await group) == set(fleet.devices)


async def test_a_device_waits_for_a_rule_that_changes(registry: Registry) -> None:
    fleet = Fleet(registry, await registry.tenant())
    await fleet.enrol([("x", (), None, False)])
    group = await fleet.group({"tags": "b"})
    async with transaction(registry.pool, fleet.tenant) as conn:
        await conn.execute("update iot.device_groups set rule = $1", {"tags": "a"})
        change = asyncio.create_task(fleet.tags(fleet.devices[0], ("a",)))
        await until_somebody_waits(registry)
    await change
    assert await registry.members(group) == set(fleet.devices)


async def test_enrolment_waits_for_a_new_group(registry: Registry) -> None:
    fleet = Fleet(registry, await registry.tenant())
    async with transaction(registry.pool, fleet.tenant) as conn:
        group = await conn.fetchval(
            "insert into iot.device_groups (organization_id, name, kind, rule)"
            " values ($1, 'g', 'dynamic', $2) returning group_id",
            fleet.tenant.organization,
            {"tags": "a"},
        )
        enrolment = asyncio.create_task(fleet.enrol([("x", ("a",), None, False)]))
        await until_somebody_waits(registry)
    await enrolment
    assert await registry.members(group) == set(fleet.devices)


async def test_a_place_waits_for_a_tag_that_changes(registry: Registry) -> None:
    """Each alone matches nothing; together they do."""
    fleet = Fleet(registry, await registry.tenant())
    await fleet.enrol([("x", (), None, False)])
    circle = {"latitude": 0, "longitude": 0, "radius_m": 10}
    group = await fleet.group({"all": [{"place": {"circle": circle}}, {"tags": "a"}]})
    for first, then in ((("a",), (0.0, 0.0)), ((), (5.0, 5.0))):
        async with transaction(registry.pool, fleet.tenant) as conn:
            await conn.execute("update iot.devices set tags = $1", first)
            move = asyncio.create_task(fleet.place(fleet.devices[0], then))
            await until_somebody_waits(registry)
        await move
        assert await registry.members(group) == (set(fleet.devices) if first else set())
    async with transaction(registry.pool, fleet.tenant) as conn:
        fleet.time += timedelta(seconds=1)
        await conn.execute(PLACE, fleet.devices[0], fleet.time, 0.0, 0.0)
        change = asyncio.create_task(fleet.tags(fleet.devices[0], ("a",)))
        await until_somebody_waits(registry)
    await change
    assert await registry.members(group) == set(fleet.devices)


async def test_a_new_rule_waits_for_a_device_that_moves(registry: Registry) -> None:
    fleet = Fleet(registry, await registry.tenant())
    await fleet.enrol([("x", (), None, False)])
    circle = {"latitude": 0, "longitude": 0, "radius_m": 10}
    async with transaction(registry.pool, fleet.tenant) as conn:
        await conn.execute(PLACE, fleet.devices[0], fleet.time, 0.0, 0.0)
        group = asyncio.create_task(fleet.group({"place": {"circle": circle}}))
        await until_somebody_waits(registry)
    assert await registry.members(await group) == set(fleet.devices)


@pytest.mark.parametrize("ends", [False, True])
async def test_a_group_that_changes_or_ends_locks_nobody_out(
    registry: Registry, ends: bool
) -> None:
    """A device that is changed twice in one transaction joins the group on which others wait."""
    fleet = Fleet(registry, await registry.tenant())
    await fleet.enrol([("x", (), None, False)] * 2)
    group = await fleet.group({"tags": "a"})
    pool, tenant = registry.pool, fleet.tenant
    set_tags = "update iot.devices set tags = '{a}' where device_id = $1"
    renamed = DeviceGroupChange(name="renamed", rule={"not": {"tags": "a"}})
    async with transaction(pool, tenant) as conn:
        await conn.execute(set_tags, fleet.devices[0])
        change = asyncio.create_task(
            device_groups.delete(pool, tenant, group, None)
            if ends
            else device_groups.change(pool, tenant, group, renamed, None)
        )
        await until_somebody_waits(registry)
        await conn.execute(set_tags, fleet.devices[1])
    await change
    assert await registry.members(group) == set()


async def test_writers_at_once_leave_every_membership_right(registry: Registry) -> None:
    """Devices, rules, groups and enrolments change side by side, over four connections."""
    fleet = Fleet(registry, await registry.tenant())
    await fleet.enrol([("x", ("a",), "1.0", False)] * 8)
    for tag in TAGS:
        await fleet.group({"tags": tag})
    area = {"circle": {"latitude": 0, "longitude": 0, "radius_m": 150_000}}
    await fleet.group({"place": area, "any": [{"tags": "a"}, {"tags": "b"}]})
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")

    async def write(draws: random.Random) -> None:
        for _ in range(15):
            device = draws.choice(fleet.devices)
            tags = tuple(draws.sample(TAGS, draws.randint(0, 3)))
            rule = {draws.choice(["any", "all"]): [{"tags": one} for one in tags or TAGS]}
            match draws.randrange(6):
                case 0:
                    await fleet.rule(draws.choice(list(fleet.rules)[:3]), rule)
                case 1:
                    await registry.enrol(
                        fleet.tenant,
                        NewDevice(serial_number=str(draws.random()), device_type="thermometer",
                                  tags=tags),
                    )  # fmt: skip
                case 2:
                    name = str(draws.random())
                    new = NewDeviceGroup(name=name, kind="dynamic", rule=rule)
                    await device_groups.create(registry.pool, fleet.tenant, new)
                case 3:
                    await fleet.place(device, draws.choice(SPOTS))
                case _:
                    await fleet.tags(device, tags)

    await asyncio.gather(*(write(random.Random(seed + number)) for number in range(4)))
    stored = await device_groups_of(registry, fleet.tenant)
    await check_all(registry, fleet.tenant, stored)


async def device_groups_of(registry: Registry, tenant: Tenant) -> dict[UUID, Any]:
    """The rules as they are stored: which of two that were put at once counts, nobody says."""
    found = await device_groups.listed(registry.pool, tenant, "dynamic", Page(1000, "name"))
    return {one.group_id: one.rule for one in found.device_groups}
