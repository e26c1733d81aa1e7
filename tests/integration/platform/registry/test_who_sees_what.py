"""Any history of organizations, people, keys and groups, beside a model of who sees what."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fleetplatform.database.tenancy import transaction
from fleetplatform.errors import ConflictError, NotFoundError, RequestError
from fleetplatform.registry import api_keys, device_types, organizations, user_groups, users
from fleetplatform.registry.organizations import Principal, Role, Tenant
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.api_keys import NewApiKey
from fleetplatform.wire.resources.organizations import NewOrganization, OrganizationChange
from fleetplatform.wire.resources.users import NewUser, NewUserGroup, UserChange

PLACE = st.integers(0, 1 << 16)
"""Which of the things there are, counted round."""


@dataclass
class Person:
    organization: UUID
    user_id: UUID
    sees_all: bool = False
    active: bool = True


@dataclass
class Key:
    organization: UUID
    api_key_id: UUID
    token: str
    person: Person | None = None
    revoked: bool = False


@dataclass
class Group:
    """Of devices or of people: who is in it; of people also what is shared with it."""

    organization: UUID
    group_id: UUID
    members: set[UUID] = field(default_factory=set)
    shares: set[UUID] = field(default_factory=set)


@dataclass
class World:
    """What should be true."""

    parents: dict[UUID, UUID | None] = field(default_factory=dict)
    devices: dict[UUID, UUID] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    device_groups: list[Group] = field(default_factory=list)
    user_groups: list[Group] = field(default_factory=list)

    def is_within(self, organization: UUID | None, ancestor: UUID) -> bool:
        while organization is not None:
            if organization == ancestor:
                return True
            organization = self.parents[organization]
        return False

    def sees(self, key: Key, at: UUID) -> set[UUID] | None:
        """The devices that a key shows when it acts in an organization; None: it is refused."""
        person = key.person
        if key.revoked or (person is not None and not person.active):
            return None
        if not self.is_within(at, key.organization):
            return None
        tree = {device for device, home in self.devices.items() if self.is_within(home, at)}
        if person is None or person.sees_all:
            return tree
        shared: set[UUID] = set()
        for one in self.user_groups:
            if person.user_id in one.members:
                shared |= one.shares
        groups = [one for one in self.device_groups if one.group_id in shared]
        return tree & {
            device for one in groups if self.is_within(one.organization, at)
            for device in one.members
        }  # fmt: skip


class Registry:
    """The rooms as the API calls them."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    def admin(self, organization: UUID) -> tuple[Tenant, Principal]:
        tenant = Tenant(organization, "api_key:model")
        return tenant, Principal(tenant, Role.ADMIN)

    async def add_device(self, organization: UUID) -> UUID:
        async with transaction(self.pool, Tenant(organization)) as conn:
            device: UUID = await conn.fetchval(
                "insert into iot.devices (organization_id, device_type_id, device_type_version,"
                " hardware_revision, serial_number)"
                " select $1, device_type_id, version, 'A', gen_random_uuid()::text"
                " from iot.device_types returning device_id",
                organization,
            )
        return device

    async def add_device_group(self, organization: UUID) -> UUID:
        async with transaction(self.pool, Tenant(organization)) as conn:
            group: UUID = await conn.fetchval(
                "insert into iot.device_groups (organization_id, name, kind)"
                " values ($1, gen_random_uuid()::text, 'static') returning group_id",
                organization,
            )
        return group

    async def put_in(self, organization: UUID, group: UUID, device: UUID) -> None:
        async with transaction(self.pool, Tenant(organization)) as conn:
            await conn.execute(
                "insert into iot.device_group_members (organization_id, group_id, device_id)"
                " values ($1, $2, $3) on conflict do nothing",
                organization, group, device,
            )  # fmt: skip

    async def sees(self, key: Key, at: UUID) -> set[UUID] | None:
        principal = await organizations.find_principal(self.pool, key.token)
        if principal is None:
            return None
        try:
            tenant = await organizations.act_in(self.pool, principal.tenant, at)
        except NotFoundError:
            return None
        async with transaction(self.pool, tenant) as conn:
            rows = await conn.fetch("select device_id from iot.devices")
        return {row["device_id"] for row in rows}


@pytest.fixture
async def registry(pool_as: Any, specification: Any) -> Registry:
    pool = await pool_as("iot_api")
    await device_types.put(pool, specification("thermometer"))
    return Registry(pool)


class Machine(RuleBasedStateMachine):
    """Plays on a thread, while the loop serves it."""

    registry: Registry
    loop: asyncio.AbstractEventLoop

    @property
    def pool(self) -> Any:
        return self.registry.pool

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.names = 0
        self.found(0, root=True)
        self.enrol(0)

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    def organization(self, place: int) -> UUID:
        return list(self.world.parents)[place % len(self.world.parents)]

    @precondition(lambda self: len(self.world.parents) < 6)
    @rule(place=PLACE, root=st.booleans())
    def found(self, place: int, root: bool) -> None:
        parent = None if root else self.organization(place)
        new = NewOrganization(name=self.name(), parent_id=parent)
        made = self.run(organizations.create(self.pool, new))
        self.world.parents[made.organization_id] = parent
        (listed,) = self.run(self._keys_of(made.organization_id))
        key = Key(made.organization_id, listed.api_key_id, made.api_key)
        self.world.keys.append(key)

    async def _keys_of(self, organization: UUID) -> Any:
        tenant, _ = self.registry.admin(organization)
        return (await api_keys.list_page(self.pool, tenant, None, Page(100, "name"))).api_keys

    @rule(place=PLACE, below=PLACE)
    def move(self, place: int, below: int) -> None:
        one, parent = self.organization(place), self.organization(below)
        change = OrganizationChange(parent_id=parent)
        work = organizations.change(self.pool, None, one, change, None)
        if self.world.is_within(parent, one):
            with pytest.raises(ConflictError) as caught:
                self.run(work)
            assert caught.value.code == "organization_cycle"
        else:
            self.run(work)
            self.world.parents[one] = parent

    @precondition(lambda self: len(self.world.devices) < 8)
    @rule(place=PLACE)
    def enrol(self, place: int) -> None:
        home = self.organization(place)
        self.world.devices[self.run(self.registry.add_device(home))] = home

    @rule(place=PLACE, sees_all=st.booleans())
    def enter(self, place: int, sees_all: bool) -> None:
        home = self.organization(place)
        tenant, admin = self.registry.admin(home)
        new = NewUser(name=self.name(), role="viewer", sees_all=sees_all)
        user = self.run(users.create(self.pool, tenant, admin, new))
        person = Person(home, user.user_id, sees_all)
        self.world.people.append(person)
        new_key = NewApiKey(name="k", role="viewer")
        key = self.run(api_keys.issue_to(self.pool, tenant, admin, user.user_id, new_key))
        self.world.keys.append(Key(home, key.api_key_id, key.token, person))

    @precondition(lambda self: self.world.people)
    @rule(place=PLACE, sees_all=st.booleans(), active=st.booleans())
    def change(self, place: int, sees_all: bool, active: bool) -> None:
        person = self.world.people[place % len(self.world.people)]
        tenant, admin = self.registry.admin(person.organization)
        new = UserChange(sees_all=sees_all, active=active)
        self.run(users.change(self.pool, tenant, admin, person.user_id, new, None))
        person.sees_all, person.active = sees_all, active

    @rule(place=PLACE)
    def revoke(self, place: int) -> None:
        key = self.world.keys[place % len(self.world.keys)]
        tenant, _ = self.registry.admin(key.organization)
        work = api_keys.revoke(self.pool, tenant, key.api_key_id)
        if key.person is None or key.revoked:
            with pytest.raises(RequestError) as caught:
                self.run(work)
            assert caught.value.code == ("not_found" if key.revoked else "last_admin_key")
        else:
            self.run(work)
            key.revoked = True

    @rule(place=PLACE)
    def group_devices(self, place: int) -> None:
        home = self.organization(place)
        group = Group(home, self.run(self.registry.add_device_group(home)))
        self.world.device_groups.append(group)
        for device in [one for one, at in self.world.devices.items() if at == home][:2]:
            self.run(self.registry.put_in(home, group.group_id, device))
            group.members.add(device)

    @precondition(lambda self: self.world.people)
    @rule(place=PLACE)
    def group_people(self, place: int) -> None:
        """A group with somebody in it."""
        person = self.world.people[place % len(self.world.people)]
        tenant, _ = self.registry.admin(person.organization)
        made = self.run(user_groups.create(self.pool, tenant, NewUserGroup(name=self.name())))
        group_of = Group(person.organization, made.user_group_id)
        self.world.user_groups.append(group_of)
        work = user_groups.add_member(self.pool, tenant, made.user_group_id, person.user_id)
        self.run(work)
        group_of.members.add(person.user_id)

    @precondition(lambda self: self.world.user_groups and self.world.device_groups)
    @rule(place=PLACE, shared=PLACE)
    def share(self, place: int, shared: int) -> None:
        people = self.world.user_groups[place % len(self.world.user_groups)]
        devices = self.world.device_groups[shared % len(self.world.device_groups)]
        tenant, _ = self.registry.admin(people.organization)
        work = user_groups.share(self.pool, tenant, people.group_id, devices.group_id)
        if people.organization != devices.organization:
            with pytest.raises(NotFoundError):
                self.run(work)
        else:
            self.run(work)
            people.shares.add(devices.group_id)

    @precondition(lambda self: any(one.shares for one in self.world.user_groups))
    @rule(place=PLACE)
    def unshare(self, place: int) -> None:
        sharing = [one for one in self.world.user_groups if one.shares]
        people = sharing[place % len(sharing)]
        tenant, _ = self.registry.admin(people.organization)
        devices = people.shares.pop()
        self.run(user_groups.unshare(self.pool, tenant, people.group_id, devices))

    @precondition(lambda self: self.world.user_groups)
    @rule(place=PLACE)
    def drop(self, place: int) -> None:
        people = self.world.user_groups.pop(place % len(self.world.user_groups))
        tenant, _ = self.registry.admin(people.organization)
        self.run(user_groups.drop(self.pool, tenant, people.group_id, None))

    @invariant()
    def everybody_sees_what_the_model_says(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        for key in self.world.keys[-4:]:
            for at in list(self.world.parents)[-3:]:
                assert await self.registry.sees(key, at) == self.world.sees(key, at)


async def test_who_sees_what_is_as_the_model_says(registry: Registry) -> None:
    played_by = {"registry": registry, "loop": asyncio.get_running_loop()}
    machine = type("Played", (Machine,), played_by)
    bounds = settings(
        max_examples=12,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=bounds)
