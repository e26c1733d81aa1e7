"""The members of a dynamic group are the devices that match its rule, after every change.

What a rule means is written here a second time, in Python, and for some rules a third time in SQL.
"""

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import IllegalMoveError
from fleetplatform.registry import device_groups, devices, life_cycle
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.device_groups import DeviceGroupChange, NewDeviceGroup
from fleetplatform.wire.resources.devices import DeviceChange, NewDevice, NewStatus

from .conftest import CONTACT, Registry

TAGS = ("a", "b", "c")
FIRMWARE = ("1.0", "1.0.0", "1.2", "2.0.1", "10.0", "2.0-rc1")
STATUSES = ("provisioning", "active", "maintenance", "suspended", "decommissioned")
PREFIXES = ("x", "x1", "y", "%", "x_")


def words(choice: tuple[str, ...]) -> st.SearchStrategy[Any]:
    one = st.sampled_from(choice)
    return one | st.lists(one, min_size=1, max_size=2)


VERSIONS = st.sampled_from([one for one in FIRMWARE if "-" not in one])
FIRMWARE_RULES = words(FIRMWARE) | st.dictionaries(
    st.sampled_from(["below", "at_least"]), VERSIONS, min_size=1
)
CONDITIONS = {
    "type": words(("thermometer", "gateway", "teapot")),
    "tags": words(TAGS),
    "status": words(STATUSES),
    "firmware": FIRMWARE_RULES,
    "hardware_revision": words(("1.0", "1.1")),
    "serial_prefix": st.sampled_from(PREFIXES),
}
LEAVES = st.lists(st.sampled_from(sorted(CONDITIONS)), min_size=1, max_size=2, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries({key: CONDITIONS[key] for key in keys})
)
RULES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=5,
)
TAG_SETS = st.lists(st.sampled_from(TAGS), max_size=3).map(tuple)
FIRMWARE_OR_NONE = st.none() | st.sampled_from(FIRMWARE)
NEW = st.tuples(st.sampled_from(["x", "x1", "y%"]), TAG_SETS, FIRMWARE_OR_NONE, st.booleans())
STEPS = st.one_of(
    st.tuples(st.just("enrol"), st.lists(NEW, min_size=1, max_size=3)),
    st.tuples(st.just("tags"), st.integers(0, 9), TAG_SETS),
    st.tuples(st.just("firmware"), st.integers(0, 9), FIRMWARE_OR_NONE),
    st.tuples(st.just("move"), st.integers(0, 9), st.sampled_from(STATUSES)),
    st.tuples(st.just("group"), RULES),
    st.tuples(st.just("rule"), st.integers(0, 9), RULES),
)


def _version(text: str | None) -> list[int] | None:
    try:
        parts = [int(one) for one in (text or "").split(".")]
    except ValueError:
        return None
    return parts + [0] * (5 - len(parts))


def _firmware_matches(said: Any, has: str | None) -> bool:
    if not isinstance(said, dict):
        return has in ([said] if isinstance(said, str) else said)
    version = _version(has)
    if version is None:
        return False
    bounds = {bound: _version(text) or [] for bound, text in said.items()}
    return bounds.get("at_least", []) <= version and (
        "below" not in bounds or version < bounds["below"]
    )


def matches(rule: dict[str, Any], device: Any) -> bool:
    """Whether a row of iot.devices with its type's name matches a rule."""

    def holds(key: str, said: Any) -> bool:
        listed = [said] if isinstance(said, str) else said
        match key:
            case "all":
                return all(matches(one, device) for one in said)
            case "any":
                return any(matches(one, device) for one in said)
            case "not":
                return not matches(said, device)
            case "tags":
                return set(listed) <= set(device["tags"])
            case "firmware":
                return _firmware_matches(said, device["firmware_version"])
            case "serial_prefix":
                return bool(device["serial_number"].startswith(said))
        column = {"type": "name", "status": "device_status"}.get(key, key)
        return device[column] in listed

    return all(holds(key, said) for key, said in rule.items())


async def check_all(registry: Registry, tenant: Tenant, rules: dict[UUID, Any]) -> None:
    """Every group of an organization has the devices that Python says."""
    rows = await registry.owner.fetch(
        "select d.*, t.name from iot.devices as d join iot.device_types as t"
        " using (device_type_id) where organization_id = $1",
        tenant.organization,
    )
    for group, rule in rules.items():
        expected = {row["device_id"] for row in rows if matches(rule, row)}
        assert await registry.members(group) == expected, rule


class Fleet:
    """An organization that the steps change: its devices in order, its groups with their rules."""

    def __init__(self, registry: Registry, tenant: Tenant) -> None:
        self.registry, self.tenant = registry, tenant
        self.devices: list[UUID] = []
        self.rules: dict[UUID, Any] = {}

    async def step(self, kind: str, *said: Any) -> None:
        if kind in ("enrol", "group"):
            await getattr(self, kind)(*said)
        elif kind == "rule" and self.rules:
            await self.rule(list(self.rules)[said[0] % len(self.rules)], said[1])
        elif kind in ("tags", "firmware", "move") and self.devices:
            await getattr(self, kind)(self.devices[said[0] % len(self.devices)], said[1])

    async def enrol(self, new: list[Any]) -> None:
        made = await self.registry.enrol(
            self.tenant,
            *(
                NewDevice(
                    serial_number=f"{prefix}-{len(self.devices) + at}",
                    device_type="gateway" if is_gateway else "thermometer",
                    tags=tags,
                    firmware_version=firmware,
                )
                for at, (prefix, tags, firmware, is_gateway) in enumerate(new)
            ),
        )
        self.devices += made.values()

    async def tags(self, device: UUID, tags: tuple[str, ...]) -> None:
        await self._change(device, DeviceChange(tags=tags))

    async def firmware(self, device: UUID, version: str | None) -> None:
        await self._change(device, DeviceChange(firmware_version=version))

    async def _change(self, device: UUID, change: DeviceChange) -> None:
        await devices.change(self.registry.pool, self.tenant, device, change, None, CONTACT)

    async def move(self, device: UUID, status: Any) -> None:
        new = NewStatus(status=status, reason="a step")
        try:
            await life_cycle.move(self.registry.pool, self.tenant, device, new, CONTACT)
        except IllegalMoveError:
            return

    async def group(self, rule: Any) -> UUID:
        new = NewDeviceGroup(name=f"g{len(self.rules)}", kind="dynamic", rule=rule)
        made = await device_groups.create(self.registry.pool, self.tenant, new)
        self.rules[made.group_id] = rule
        return made.group_id

    async def rule(self, group: UUID, rule: Any) -> None:
        change = DeviceGroupChange(rule=rule)
        await device_groups.change(self.registry.pool, self.tenant, group, change, None)
        self.rules[group] = rule


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
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")

    async def write(draws: random.Random) -> None:
        for _ in range(15):
            device = draws.choice(fleet.devices)
            tags = tuple(draws.sample(TAGS, draws.randint(0, 3)))
            rule = {draws.choice(["any", "all"]): [{"tags": one} for one in tags or TAGS]}
            match draws.randrange(5):
                case 0:
                    await fleet.rule(draws.choice(list(fleet.rules)), rule)
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
                case _:
                    await fleet.tags(device, tags)

    await asyncio.gather(*(write(random.Random(seed + number)) for number in range(4)))
    stored = await device_groups_of(registry, fleet.tenant)
    await check_all(registry, fleet.tenant, stored)


async def device_groups_of(registry: Registry, tenant: Tenant) -> dict[UUID, Any]:
    """The rules as they are stored: which of two that were put at once counts, nobody says."""
    found = await device_groups.listed(registry.pool, tenant, "dynamic", Page(1000, "name"))
    return {one.group_id: one.rule for one in found.device_groups}
