"""Every change of what people keep is in the audit log: who, when, why, what; and no secret."""

import hashlib
import uuid
from typing import Any

import asyncpg
import pytest

from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.registry import device_types, devices, organizations
from fleetplatform.wire.resources.devices import NewCalibration, NewDevice
from fleetplatform.wire.resources.organizations import NewOrganization

ENTRIES = (
    "select subject_kind, subject_id, action, changed, from_state, to_state, actor, reason"
    " from iot.audit_log where organization_id = $1 order by audit_id"
)


class Tenancy:
    """One organization, written as the API writes it."""

    def __init__(self, pool: Any, organization: uuid.UUID, owner: asyncpg.Connection) -> None:
        self.pool = pool
        self.tenant = Tenant(organization, "api_key:test")
        self.owner = owner

    async def run(self, statement: str, *arguments: object, reason: str = "") -> Any:
        async with transaction(self.pool, self.tenant) as conn:
            await conn.execute("select set_config('app.reason', $1, true)", reason)
            return await conn.fetchval(statement, *arguments)

    async def entries(self, kind: str) -> list[tuple[Any, ...]]:
        rows = await self.owner.fetch(ENTRIES, self.tenant.organization)
        return [tuple(row)[1:] for row in rows if row["subject_kind"] == kind]

    async def kinds(self) -> list[str]:
        rows = await self.owner.fetch(ENTRIES, self.tenant.organization)
        return [row["subject_kind"] for row in rows]


@pytest.fixture
async def tenancy(pool_as, owner, specification) -> Tenancy:
    pool = await pool_as("iot_api")
    await device_types.put(pool, specification("thermometer"))
    made = await organizations.create(pool, NewOrganization(name="one"))
    return Tenancy(pool, made.organization_id, owner)


async def test_an_organization_and_its_key(tenancy: Tenancy) -> None:
    own = tenancy.tenant.organization
    created = ("created", [], None, None, "operator", None)
    assert await tenancy.entries("organization") == [(own, *created)]
    ((_, *entry),) = await tenancy.entries("api_key")
    assert tuple(entry) == created


async def test_what_was_changed_from_what_to_what(tenancy: Tenancy) -> None:
    own, who = tenancy.tenant.organization, "api_key:test"
    user = await tenancy.run(
        "insert into iot.users (organization_id, name, email, role)"
        " values ($1, 'Ada', 'ada@example.org', 'viewer') returning user_id",
        own,
    )
    change = "update iot.users set {} where organization_id = $1"
    await tenancy.run(change.format("role = 'operator'"), own, reason="she asked")
    await tenancy.run(change.format("role = role, name = name"), own)
    await tenancy.run(change.format("role = 'viewer', sees_all = false"), own)
    await tenancy.run(change.format("email = 'other@example.org'"), own)
    assert await tenancy.entries("user") == [
        (user, "created", [], None, None, who, None),
        (user, "changed", ["role"], "viewer", "operator", who, "she asked"),
        (user, "changed", ["role", "sees_all"], None, None, who, None),
        (user, "changed", ["email"], None, None, who, None),
    ]


async def test_ties_name_the_other_end(tenancy: Tenancy) -> None:
    own, who = tenancy.tenant.organization, "api_key:test"
    user = await tenancy.run(
        "insert into iot.users (organization_id, name, role) values ($1, 'Ada', 'viewer')"
        " returning user_id",
        own,
    )
    group = await tenancy.run(
        "insert into iot.user_groups (organization_id, name) values ($1, 'all')"
        " returning user_group_id",
        own,
    )
    await tenancy.run("insert into iot.user_group_members values ($1, $2, $3)", own, group, user)
    await tenancy.run("delete from iot.user_groups where organization_id = $1", own)
    assert await tenancy.entries("user_group_member") == [
        (group, "created", [], None, str(user), who, None),
        (group, "deleted", [], str(user), None, who, None),
    ]
    assert [one[1] for one in await tenancy.entries("user_group")] == ["created", "deleted"]


async def test_of_a_dynamic_group_the_rule_is_told_and_not_its_members(tenancy: Tenancy) -> None:
    own = tenancy.tenant.organization
    (device,) = (await _enrol(tenancy, 1)).devices
    for kind, rule in (("static", None), ("dynamic", {"status": "active"})):
        group = await tenancy.run(
            "insert into iot.device_groups (organization_id, name, kind, rule)"
            " values ($1, $2, $2, $3) returning group_id",
            own,
            kind,
            rule,
        )
        if kind == "static":
            await tenancy.run(
                "insert into iot.device_group_members values ($1, $2, $3)",
                own,
                group,
                device.device_id,
            )
    static, dynamic = await tenancy.entries("device_group")
    told = await tenancy.entries("device_group_member")
    assert [one[0] for one in told] == [static[0]]
    await tenancy.run(
        "update iot.device_groups set rule = '{\"status\": \"suspended\"}'"
        " where organization_id = $1 and kind = 'dynamic'",
        own,
    )
    assert (await tenancy.entries("device_group"))[-1][:5] == (
        dynamic[0], "changed", ["rule"], None, None,
    )  # fmt: skip


async def _enrol(tenancy: Tenancy, count: int, **changes: Any) -> Any:
    new = [
        NewDevice(serial_number=f"{uuid.uuid4()}", device_type="thermometer", **changes)
        for _ in range(count)
    ]
    return await devices.enrol(tenancy.pool, tenancy.tenant, new)


async def test_a_new_device_is_one_entry_with_all_that_it_brings(tenancy: Tenancy) -> None:
    calibration = NewCalibration(sensor="temperature", multiplier=2.0, offset=0.0)
    enrolled = await _enrol(tenancy, 3, calibrations=(calibration,))
    kinds = await tenancy.kinds()
    assert kinds.count("device") == kinds.count("sensor_calibration") == 3
    assert {"sensor", "device_credential"}.isdisjoint(kinds)
    sensor = enrolled.devices[0].sensor_ids[0]
    await tenancy.run(
        "update iot.sensors set sensor_status = 'inactive', unit = 'K' where sensor_id = $1", sensor
    )
    assert sorted(one[:5] for one in await tenancy.entries("sensor")) == [
        (sensor, "changed", ["unit"], "°C", "K"),
        (sensor, "status", ["sensor_status"], "active", "inactive"),
    ]
    await tenancy.run(
        "update iot.device_credentials set revoked_at = clock_timestamp() where device_id = $1",
        enrolled.devices[0].device_id,
    )
    (told,) = await tenancy.entries("device_credential")
    assert (told[1], told[2], told[3]) == ("changed", ["revoked_at"], None)


async def test_the_log_holds_no_secret(tenancy: Tenancy) -> None:
    enrolled = await _enrol(tenancy, 2)
    await tenancy.owner.execute(
        "update iot.device_credentials set token_sha256 = sha256(token_sha256)"
    )
    await tenancy.owner.execute("update iot.api_keys set token_sha256 = sha256(token_sha256)")
    assert (await tenancy.entries("api_key"))[-1][1:5] == ("changed", ["token_sha256"], None, None)
    text = str([tuple(r) for r in await tenancy.owner.fetch("select a::text from iot.audit_log a")])
    for device in enrolled.devices:
        assert device.token not in text
        assert hashlib.sha256(device.token.encode()).hexdigest() not in text


async def test_who_is_limited_to_groups_reads_of_their_devices_only(tenancy: Tenancy) -> None:
    own = tenancy.tenant.organization
    shared, other = (one.device_id for one in (await _enrol(tenancy, 2)).devices)
    group = await tenancy.run(
        "insert into iot.device_groups (organization_id, name, kind) values ($1, 'g', 'static')"
        " returning group_id",
        own,
    )
    member = "insert into iot.device_group_members values ($1, $2, $3)"
    await tenancy.run(member, own, group, shared)
    limited = Tenant(own, "user:test", (group,))
    async with transaction(tenancy.pool, limited) as conn:
        seen = await conn.fetch("select distinct subject_id from iot.audit_log")
    assert [row["subject_id"] for row in seen] == [shared]
    assert other != shared
