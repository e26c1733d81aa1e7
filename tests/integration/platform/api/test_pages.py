"""Lists in pages: every item once, in order, whatever the size of a page; filters; bad cursors."""

import uuid

import pytest

from fleetplatform.client import Client
from fleetplatform.wire.resources.alerts import NewAlertRule
from fleetplatform.wire.resources.devices import NewDevice

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")
DAY_US = 1_780_272_000_000_000


async def get(platform, tenant, path):
    headers = {"Authorization": f"Bearer {tenant.api_key}"}
    return await platform.request("GET", path, headers, b"")


async def pages(platform, tenant, path, noun, limit):
    """The items of a list, page by page."""
    found, cursor = [], ""
    while cursor is not None:
        join = "&" if "?" in path else "?"
        after = f"&cursor={cursor}" if cursor else ""
        answer = await get(platform, tenant, f"{path}{join}limit={limit}{after}")
        assert answer.status == 200, answer
        found.append(answer.body[noun])
        cursor = answer.body["next_cursor"]
    return found


async def with_rules(platform, count):
    tenant = await platform.tenant(THERMOMETER)
    async with Client(platform.url, tenant.api_key) as client:
        for number in range(count):
            conditions = {"threshold_high": 1e9}
            await client.create_alert_rule(
                NewAlertRule(name=f"rule {number}", conditions=conditions)
            )
    return tenant


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_rules_up_and_down(platform, limit):
    tenant = await with_rules(platform, 5)
    for sort, expected in (("name", range(5)), ("-name", range(4, -1, -1))):
        path = f"/v1/alert-rules?sort={sort}"
        found = await pages(platform, tenant, path, "alert_rules", limit)
        assert all(len(page) == limit for page in found[:-1])
        assert [one["name"] for page in found for one in page] == [f"rule {n}" for n in expected]


async def test_device_types(platform):
    tenant = await platform.tenant()
    for sort in ("name", "-name"):
        found = await pages(
            platform, tenant, f"/v1/device-types?sort={sort}", "device_types", 1
        )
        names = [one["specification"]["name"] for page in found for one in page]
        assert len(names) == len(set(names)) >= 4
        assert names == sorted(names, reverse=sort == "-name")


async def test_alerts_newest_first_and_their_filters(platform, platform_rows):
    tenant = await with_rules(platform, 2)
    device, sensor = tenant.devices["t1"].device_id, tenant.sensor("t1")
    rules = await platform_rows.fetch(
        "select rule_id from iot.alert_rules where organization_id = $1 order by name",
        tenant.organization_id,
    )
    # Two and two at the same time, so that a page ends between equals.
    await platform_rows.execute(
        "insert into iot.alerts (organization_id, rule_id, sensor_id, device_id, severity,"
        " alert_status, alert_timestamp, resolved_at)"
        " select $1, $2, $3, $4, 'info', 'resolved', t, t from ("
        "   select to_timestamp($5::bigint / 1000000) + n / 2 * interval '1 s' as t"
        "   from generate_series(0, 9) as n) as s",
        tenant.organization_id, rules[0][0], sensor, device, DAY_US,
    )  # fmt: skip
    found = await pages(platform, tenant, "/v1/alerts", "alerts", 3)
    keys = [(one["alert_timestamp_us"], one["alert_id"]) for page in found for one in page]
    assert len(keys) == 10
    assert keys == sorted(keys, reverse=True)
    for query, count in (
        (f"rule_id={rules[0][0]}", 10), (f"rule_id={rules[1][0]}", 0),
        (f"device_id={device}", 10), (f"device_id={uuid.uuid4()}", 0),
        ("status=resolved", 10), ("status=active", 0),
        (f"since_us={DAY_US + 1_000_000}", 8), (f"until_us={DAY_US + 1_000_000}", 2),
    ):  # fmt: skip
        answer = await get(platform, tenant, f"/v1/alerts?{query}")
        assert len(answer.body["alerts"]) == count, query
    async with Client(platform.url, tenant.api_key) as client:
        assert len((await client.alerts()).alerts) == 10
        assert len((await client.alerts(limit=4)).alerts) == 4
        assert (await client.alerts(status="active")).alerts == ()


async def test_the_audit_and_its_filters(platform):
    tenant = await with_rules(platform, 3)
    found = await pages(platform, tenant, "/v1/audit", "entries", 2)
    entries = [one for page in found for one in page]
    ids = [one["audit_id"] for one in entries]
    assert ids == sorted(ids, reverse=True)
    kinds = [one["subject_kind"] for one in entries]
    assert kinds == [*["alert_rule"] * 3, "device", "api_key", "organization"]
    actor = entries[0]["actor"]
    for query, count in (
        (f"actor={actor}", 4), ("actor=operator", 2), ("actor=user:nobody", 0),
        ("action=created", 6), ("action=deleted", 0), ("subject_kind=alert_rule", 3),
        (f"subject={tenant.devices['t1'].device_id}", 1), (f"subject={uuid.uuid4()}", 0),
        (f"since_us={DAY_US}", 6), (f"until_us={DAY_US}", 0),
    ):  # fmt: skip
        answer = await get(platform, tenant, f"/v1/audit?{query}")
        assert len(answer.body["entries"]) == count, query


@pytest.mark.parametrize("path", ["alert-rules", "alerts", "audit", "device-types"])
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("cursor=nonsense", "invalid_cursor"),
        ("cursor=W10", "invalid_cursor"),
        ("cursor=%00", "invalid_cursor"),
        ("sort=colour", "invalid_sort"),
        ("limit=0", "invalid"),
        ("limit=1001", "invalid"),
        ("limit=many", "invalid"),
    ],
)
async def test_bad_pages(platform, path, query, code):
    tenant = await platform.tenant()
    answer = await get(platform, tenant, f"/v1/{path}?{query}")
    assert (answer.status, answer.body["code"]) == (422, code)


async def test_a_cursor_is_for_its_own_list(platform):
    tenant = await with_rules(platform, 3)
    answer = await get(platform, tenant, "/v1/alert-rules?limit=1")
    cursor = answer.body["next_cursor"]
    for path in ("/v1/alerts", "/v1/audit", "/v1/alert-rules?sort=-name"):
        join = "&" if "?" in path else "?"
        answer = await get(platform, tenant, f"{path}{join}cursor={cursor}")
        assert (answer.status, answer.body["code"]) == (422, "invalid_cursor"), path


@pytest.mark.parametrize(
    "path",
    [
        "claim-tokens?sort=-created", "certificate-authorities?sort=-name",
        "operations?sort=-created", "maintenance/due?sort=-due", "calibrations/due?sort=-due",
    ],
)  # fmt: skip
async def test_a_list_that_goes_one_way_refuses_the_other(platform, path):
    """An order that is asked for is kept or refused, and never silently another."""
    answer = await get(platform, await platform.tenant(), f"/v1/{path}")
    assert (answer.status, answer.body["code"]) == (422, "invalid_sort")
