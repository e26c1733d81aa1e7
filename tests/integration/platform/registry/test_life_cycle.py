"""The life of a device: the database makes every move that is in it, records it, and no other."""

import asyncio
import uuid
from collections import Counter
from itertools import pairwise, product
from typing import Any, get_args

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.errors import IllegalMoveError, NotFoundError, RequestError
from fleetplatform.registry import audit, device_types, devices, life_cycle, organizations
from fleetplatform.registry.devices import Contact
from fleetplatform.wire.paging import Page
from fleetplatform.wire.resources.audit import AuditEntry
from fleetplatform.wire.resources.devices import DeviceStatus, NewStatus
from fleetplatform.wire.resources.organizations import NewOrganization, Organization

STATES = get_args(DeviceStatus)
WAY_TO = {
    "provisioning": ("provisioning",),
    "active": ("provisioning", "active"),
    "maintenance": ("provisioning", "active", "maintenance"),
    "suspended": ("provisioning", "active", "suspended"),
    "decommissioned": ("provisioning", "decommissioned"),
}
LIVING = ("provisioning", "active", "maintenance", "suspended")
LEGAL = {
    ("provisioning", "active"),
    ("active", "maintenance"),
    ("maintenance", "active"),
    ("active", "suspended"),
    ("suspended", "active"),
    *((state, "decommissioned") for state in LIVING),
}
ILLEGAL = sorted(set(product(STATES, STATES)) - LEGAL)
NOW = Contact(now_us=0, offline_after_us=0)
MOVES = "select count(*) from iot.audit_log where action = 'status'"
MOVE = "update iot.devices set device_status = $2 where device_id = $1"


class Fleet:
    """One organization's devices, moved as the API moves them."""

    def __init__(self, pool: Any, made: Organization) -> None:
        self.pool = pool
        self.organization = made.organization_id
        self.tenant = Tenant(made.organization_id, "api_key:test")

    async def move(self, device: uuid.UUID, status: str, reason: str = "a test") -> str:
        new = NewStatus(status=status, reason=reason)  # type: ignore[arg-type]
        return (await life_cycle.move(self.pool, self.tenant, device, new, NOW)).device_status

    async def audit(self, device: uuid.UUID) -> list[tuple[str, str]]:
        """Moves as recorded, oldest first."""
        found = await self.entries(device)
        return [(one.from_state, one.to_state) for one in reversed(found)]

    async def entries(self, device: uuid.UUID) -> list[AuditEntry]:
        """Moves as recorded, newest first."""
        wanted = audit.Wanted(subject=device, action="status")
        return await audit.entries(self.pool, self.tenant, wanted, Page(1000, "recorded", True))

    async def add(self) -> uuid.UUID:
        """A device in provisioning."""
        async with transaction(self.pool, self.tenant) as conn:
            device: uuid.UUID = await conn.fetchval(
                "insert into iot.devices (organization_id, device_type_id, device_type_version,"
                " hardware_revision, serial_number)"
                " select $1, device_type_id, version, 'A', $2 from iot.device_types"
                " returning device_id",
                self.organization,
                uuid.uuid4().hex,
            )
        return device

    async def bring(self, state: str) -> uuid.UUID:
        """A device in some state, on the shortest way to it."""
        device = await self.add()
        for status in WAY_TO[state][1:]:
            await self.move(device, status)
        return device

    async def status(self, device: uuid.UUID) -> str:
        return (await devices.read(self.pool, self.tenant, device, NOW)).device_status


@pytest.fixture
async def fleet(pool_as, specification) -> Fleet:
    pool = await pool_as("iot_api")
    await device_types.put(pool, specification("thermometer"))
    return Fleet(pool, await organizations.create(pool, NewOrganization(name="one")))


@pytest.fixture
async def by_state(fleet: Fleet) -> dict[str, uuid.UUID]:
    """A device in every state."""
    return {state: await fleet.bring(state) for state in STATES}


def test_the_model_has_nine_moves():
    assert (len(LEGAL), len(ILLEGAL)) == (9, 16)


async def test_every_legal_move_is_made_and_recorded(fleet: Fleet, owner: asyncpg.Connection):
    for before, after in sorted(LEGAL):
        device = await fleet.bring(before)
        assert await fleet.move(device, after) == after
        assert await fleet.status(device) == after
        assert await fleet.audit(device) == [*pairwise(WAY_TO[before]), (before, after)]
    (last, *_) = await fleet.entries(device)
    assert (last.actor, last.reason, last.action) == ("api_key:test", "a test", "status")
    assert (last.subject_kind, last.subject_id) == ("device", device)
    assert abs(last.occurred_at_us - last.recorded_at_us) < 60_000_000


async def test_no_illegal_move_by_sql_whoever_tries(
    fleet: Fleet, by_state: dict[str, uuid.UUID], prepared, owner: asyncpg.Connection
):
    """Services without the right to move devices are refused as such, all others by the trigger."""
    rows = await owner.fetchval(MOVES)
    migrator = await asyncpg.connect(prepared.owner_url)
    await migrator.execute("set session authorization iot_migrator; set role iot_owner")
    refusals: Counter[str] = Counter()
    for before, after in ILLEGAL:
        with pytest.raises(asyncpg.CheckViolationError, match="cannot become"):
            async with transaction(fleet.pool, fleet.tenant) as conn:
                await conn.execute(MOVE, by_state[before], after)
        for conn in (owner, migrator):
            with pytest.raises(asyncpg.CheckViolationError, match="cannot become"):
                await conn.execute(MOVE, by_state[before], after)
    for role in ("iot_worker", "iot_ingest"):
        conn = await asyncpg.connect(prepared.urls[role])
        for before, after in ILLEGAL:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(MOVE, by_state[before], after)
            refusals[role] += 1
        await conn.close()
    await migrator.close()
    assert refusals == {"iot_worker": 16, "iot_ingest": 16}
    assert {state: await fleet.status(one) for state, one in by_state.items()} == {
        state: state for state in STATES
    }
    assert await owner.fetchval(MOVES) == rows


async def test_an_upsert_is_no_way_around(fleet: Fleet, by_state: dict[str, uuid.UUID]):
    with pytest.raises(asyncpg.CheckViolationError, match="cannot become"):
        async with transaction(fleet.pool, fleet.tenant) as conn:
            await conn.execute(
                "insert into iot.devices (organization_id, device_id, device_type_id,"
                " device_type_version, hardware_revision, serial_number)"
                " select organization_id, device_id, device_type_id, device_type_version,"
                " hardware_revision, serial_number from iot.devices where device_id = $1"
                " on conflict (device_id) do update set device_status = 'active'",
                by_state["decommissioned"],
            )


async def test_a_life_begins_at_its_beginning(fleet: Fleet):
    for status in ("maintenance", "suspended", "decommissioned"):
        with pytest.raises(asyncpg.CheckViolationError, match="cannot begin"):
            async with transaction(fleet.pool, fleet.tenant) as conn:
                await conn.execute(
                    "insert into iot.devices (organization_id, device_type_id,"
                    " device_type_version, hardware_revision, serial_number, device_status)"
                    " select $1, device_type_id, version, 'A', 's', $2 from iot.device_types",
                    fleet.organization,
                    status,
                )


async def test_a_move_past_the_api_is_recorded_too(fleet: Fleet, owner: asyncpg.Connection):
    device = await fleet.add()
    await owner.execute(MOVE, device, "active")
    (entry,) = await fleet.entries(device)
    assert entry.actor == f"database:{await owner.fetchval('select session_user')}"
    assert entry.reason is None


async def test_a_move_that_is_not_committed_leaves_no_entry(fleet: Fleet):
    device = await fleet.add()
    async with transaction(fleet.pool, fleet.tenant) as conn:
        undone = conn.transaction()
        await undone.start()
        await conn.execute(MOVE, device, "active")
        assert await conn.fetchval(MOVES) == 1
        await undone.rollback()
    assert (await fleet.status(device), await fleet.audit(device)) == ("provisioning", [])


async def test_no_service_writes_the_audit_log(fleet: Fleet, pool_as):
    statements = (
        "insert into iot.audit_log select * from iot.audit_log",
        "update iot.audit_log set actor = 'somebody else'",
        "delete from iot.audit_log",
    )
    for role in ("iot_api", "iot_worker", "iot_ingest"):
        pool = await pool_as(role)
        for statement in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.execute(statement)


async def test_of_opposing_moves_at_once_one_wins(fleet: Fleet):
    for one, other in (("maintenance", "suspended"), ("suspended", "suspended")):
        device = await fleet.bring("active")
        outcomes = await asyncio.gather(
            *(fleet.move(device, status) for status in (one, other)), return_exceptions=True
        )
        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
        (loser,) = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        assert isinstance(loser, IllegalMoveError)
        assert await fleet.status(device) == winner
        assert await fleet.audit(device) == [("provisioning", "active"), ("active", winner)]


async def test_a_strangers_device_is_as_unknown_as_none(fleet: Fleet):
    device = await fleet.bring("active")
    stranger = await organizations.create(fleet.pool, NewOrganization(name="two"))
    other = Fleet(fleet.pool, stranger)
    for subject in (device, uuid.uuid4()):
        with pytest.raises(NotFoundError, match="the organization has no such device"):
            await other.move(subject, "suspended")
        assert await other.audit(subject) == []
    assert await fleet.status(device) == "active"


async def test_any_sequence_of_moves_goes_as_the_model_says(fleet: Fleet):
    """The database beside a set of pairs; a thread plays, so that this loop can serve it."""
    loop = asyncio.get_running_loop()

    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.device = self.run(fleet.add())
            self.state = "provisioning"
            self.moves: list[tuple[str, str]] = []

        def run(self, work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, loop).result(30)

        @rule(status=st.sampled_from(STATES))
        def move(self, status: str) -> None:
            try:
                self.run(fleet.move(self.device, status))
            except RequestError:
                assert (self.state, status) not in LEGAL
            else:
                assert (self.state, status) in LEGAL
                self.moves.append((self.state, status))
                self.state = status

        @rule(reason=st.sampled_from(["", "x" * 501, "a\0b"]), status=st.sampled_from(STATES))
        def give_no_reason(self, reason: str, status: str) -> None:
            with pytest.raises(RequestError, match="say why"):
                self.run(fleet.move(self.device, status, reason))

        @invariant()
        def agrees(self) -> None:
            assert self.run(fleet.status(self.device)) == self.state
            assert self.run(fleet.audit(self.device)) == self.moves

    bounds = settings(
        max_examples=20,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, Life, settings=bounds)
