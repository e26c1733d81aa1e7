"""A viewer who is limited to groups sees just their devices; and the operations dashboard."""

import uuid
from dataclasses import replace

import asyncpg
import pytest

from fleetplatform.database.pool import open_pool
from fleetplatform.database.tenancy import Tenant, transaction
from fleetplatform.wire.clock import wall_now_us
from fleetplatform.wire.resources.devices import NewDevice

DEVICES = tuple(NewDevice(serial_number=s, device_type="thermometer") for s in ("a", "b", "c"))
HOT = 80.0
TABLES = ("devices", "sensors", "sensor_data", "alerts", "device_credentials", "alert_events")


async def group_of(rows: asyncpg.Connection, tenant, name: str, *serials: str) -> uuid.UUID:
    """A static group of some devices of an organization."""
    group_id = await rows.fetchval(
        "insert into iot.device_groups (organization_id, name, kind) values ($1, $2, 'static')"
        " returning group_id",
        tenant.organization_id,
        name,
    )
    for serial in serials:
        await rows.execute(
            "insert into iot.device_group_members (organization_id, group_id, device_id)"
            " values ($1, $2, $3)",
            tenant.organization_id,
            group_id,
            tenant.devices[serial].device_id,
        )
    return group_id


@pytest.fixture
async def fleet(caller, platform, eventually):
    """Three devices, each with a reading that raised an alert; and their admin."""
    tenant, admin = await caller(*DEVICES)
    rule = {"name": "hot", "conditions": {"threshold_high": HOT - 1}, "severity": "critical"}
    await admin.made("/alert-rules", rule)
    at = wall_now_us()

    async def alerted() -> bool:
        """The rule is in force from some moment on; a reading is judged once."""
        nonlocal at
        at += 1_000_000
        for serial in tenant.devices:
            reading = {"sensor": "temperature", "t": at - 60_000_000, "v": HOT}
            assert (await platform.post(tenant.token(serial), [reading])).status == 200
        return len((await admin("GET", "/alerts")).body["alerts"]) == len(DEVICES)

    await eventually(alerted)
    return tenant, admin


@pytest.fixture
async def limited(fleet, platform_rows):
    """A viewer with whom the group of device a is shared."""
    tenant, admin = fleet
    group_id = await group_of(platform_rows, tenant, "a only", "a")
    user_id, viewer = await admin.user("ann", "viewer", sees_all=False)
    people = (await admin.made("/user-groups", {"name": "people"}))["user_group_id"]
    await admin("PUT", f"/user-groups/{people}/members/{user_id}")
    await admin("PUT", f"/user-groups/{people}/shares/{group_id}")
    return user_id, viewer, people, group_id


async def seen_by(ask) -> set[str]:
    return await ask.seen("/operations", "operations", "serial_number")


async def test_a_limited_viewer_sees_what_is_shared_over_http(fleet, limited, platform_rows):
    tenant, admin = fleet
    _, viewer, _, group_id = limited
    assert (await viewer("GET", "/me")).body["device_groups"] == [str(group_id)]
    assert await seen_by(viewer) == {"a"}
    assert await seen_by(admin) == {"a", "b", "c"}
    alerts = await viewer.seen("/alerts", "alerts", "device_id")
    assert alerts == {str(tenant.devices["a"].device_id)}
    for serial, status in (("a", 200), ("b", 404)):
        device_id = tenant.devices[serial].device_id
        assert (await viewer("GET", f"/devices/{device_id}")).status == status
        last = f"/sensors/{tenant.sensor(serial)}/last"
        found = [(await ask("GET", last)).status for ask in (viewer, admin)]
        assert found == [status, 200]
        move = {"status": "maintenance", "reason": "for the log"}
        assert (await admin("POST", f"/devices/{device_id}/status", move)).status == 200
        log = await viewer("GET", f"/audit?subject={device_id}")
        assert bool(log.body["entries"]) is (status == 200)
    foreign = await viewer("GET", f"/devices/{tenant.devices['b'].device_id}")
    assert foreign.body == (await viewer("GET", f"/devices/{uuid.uuid4()}")).body
    rule = {"name": "b only", "conditions": {"threshold_high": HOT},
            "sensor_id": str(tenant.sensor("b"))}  # fmt: skip
    await admin.made("/alert-rules", rule)
    assert await viewer.seen("/alert-rules", "alert_rules", "name") == {"hot"}


async def test_what_is_shared_changes_at_once(fleet, limited, platform_rows):
    tenant, admin = fleet
    user_id, viewer, people, _ = limited
    other = await group_of(platform_rows, tenant, "b and c", "b", "c")
    share = f"/user-groups/{people}/shares/{other}"
    await admin("PUT", share)
    assert await seen_by(viewer) == {"a", "b", "c"}
    await admin("DELETE", share)
    assert await seen_by(viewer) == {"a"}
    await admin("DELETE", f"/user-groups/{people}/members/{user_id}")
    assert (await viewer("GET", "/me")).body["device_groups"] == []
    assert await seen_by(viewer) == set()
    await admin("PATCH", f"/users/{user_id}", {"sees_all": True})
    assert await seen_by(viewer) == {"a", "b", "c"}


async def test_no_viewer_sees_claim_tokens(fleet, limited, platform):
    """They name devices that are in no group yet; in the database too a limited one sees none."""
    tenant, admin = fleet
    _, viewer, _, group_id = limited
    claim = {"serial_number": "to come", "expires_at_us": wall_now_us() + 3_600_000_000}
    await admin.made("/claim-tokens", claim)
    assert await admin.seen("/claim-tokens", "claim_tokens", "serial_number") == {"to come"}
    assert (await viewer("GET", "/claim-tokens")).status == 403
    settings = platform.settings
    async with await open_pool(
        settings.database_urls["iot_api"], settings.platform.database, "iot_api"
    ) as pool:
        for groups, count in ((None, 1), ((group_id,), 0)):
            async with transaction(pool, Tenant(tenant.organization_id, "", groups)) as conn:
                assert await conn.fetchval("select count(*) from iot.claim_tokens") == count


async def test_a_limited_viewer_sees_nothing_below_either(fleet, limited):
    _, admin = fleet
    _, viewer, *_ = limited
    child_id, child = await admin.child()
    await child.made(
        "/devices/bulk", {"devices": [{"serial_number": "x", "device_type": "thermometer"}]}
    )
    assert await seen_by(admin) == {"a", "b", "c", "x"}
    assert await seen_by(viewer) == {"a"}
    assert await seen_by(viewer.acting_in(child_id)) == set()


async def test_a_limited_viewer_sees_what_is_shared_in_sql(fleet, limited, platform):
    """Row security as iot_api meets it, whatever a route may forget."""
    tenant, _ = fleet
    *_, group_id = limited
    ours = {one.device_id for one in tenant.devices.values()}
    settings = platform.settings
    async with await open_pool(
        settings.database_urls["iot_api"], settings.platform.database, "iot_api"
    ) as pool:
        counts = {}
        for groups in (None, (group_id,), (), (uuid.uuid4(),)):
            async with transaction(pool, Tenant(tenant.organization_id, "", groups)) as conn:
                counts[groups] = [
                    await conn.fetchval(f"select count(*) from iot.{table}") for table in TABLES
                ]
                seen = await conn.fetch("select device_id from iot.devices")
                assert {row["device_id"] for row in seen} <= ours
        async with transaction(pool, Tenant(tenant.organization_id, "", (group_id,))) as conn:
            rows = await conn.fetch("select distinct device_id from iot.sensor_data")
            assert [row["device_id"] for row in rows] == [tenant.devices["a"].device_id]
            for table in ("sensor_data", "devices", "alerts"):
                hidden = await conn.fetch(
                    f"select 1 from iot.{table} where device_id = $1",
                    tenant.devices["b"].device_id,
                )
                assert hidden == []
            moved = await conn.execute(
                "update iot.devices set device_status = 'suspended' where device_id = $1",
                tenant.devices["b"].device_id,
            )
            assert moved == "UPDATE 0"
    assert counts[()] == counts[next(g for g in counts if g and g != (group_id,))] == [0] * 6
    assert counts[None] == [3 * count for count in counts[(group_id,)]]
    assert min(counts[None]) > 0


async def test_partitions_are_no_way_around(platform):
    conn = await asyncpg.connect(platform.settings.database_urls["iot_api"])
    partitions = await conn.fetch(
        "select relname from pg_class where relispartition and relnamespace = 'iot'::regnamespace"
        " and relkind in ('r', 'p')"
    )
    assert len(partitions) > 1
    for row in partitions:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch(f'select 1 from iot."{row["relname"]}"')
    await conn.close()


async def test_the_dashboard_says_how_each_device_does(fleet, eventually):
    tenant, admin = fleet

    async def heard_of() -> bool:
        return (await admin("GET", f"/devices/{tenant.devices['a'].device_id}")).status == 200

    await eventually(heard_of)
    (first, *others) = (await admin("GET", "/operations?limit=1")).body["operations"]
    assert others == []
    device_id = str(tenant.devices["a"].device_id)
    device = (await admin("GET", f"/devices/{device_id}")).body
    assert first == {
        "organization_id": str(tenant.organization_id), "device_id": device_id,
        "serial_number": "a", "device_type": "thermometer",
        "device_type_version": device["device_type_version"], "device_status": "active",
        "last_seen_us": device["last_seen_us"], "online": device["online"], "sensors": 1,
        "open_alerts": {"info": 0, "warning": 0, "critical": 1},
    }  # fmt: skip
    move = {"status": "maintenance", "reason": "a test"}
    await admin("POST", f"/devices/{device_id}/status", move)
    for query, expected in (
        ("status=maintenance", {"a"}),
        ("status=active", {"b", "c"}),
        ("alerting=true", {"a", "b", "c"}),
        ("alerting=false", set()),
    ):
        found = await admin.seen(f"/operations?{query}", "operations", "serial_number")
        assert found == expected, query
    online = await admin.seen("/operations?online=true", "operations", "serial_number")
    offline = await admin.seen("/operations?online=false", "operations", "serial_number")
    assert (online | offline, online & offline) == ({"a", "b", "c"}, set())
    pages, cursor = [], ""
    while cursor is not None:
        page = (await admin("GET", f"/operations?limit=2{cursor}")).body
        pages.append([one["serial_number"] for one in page["operations"]])
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert pages == [["a", "b"], ["c"]]
    nobody = replace(admin, token="no-such-token")
    assert (await nobody("GET", "/operations")).outcome == (401, "unauthorized")
