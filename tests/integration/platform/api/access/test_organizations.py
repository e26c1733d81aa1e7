"""Organizations as a tree: who makes them, who sees them, and who acts in which."""

import uuid

import pytest

from fleetplatform.wire.resources.devices import NewDevice
from fleetplatform.wire.resources.quotas import NewQuotas

THERMOMETER = NewDevice(serial_number="t1", device_type="thermometer")
ONE = {"serial_number": "t2", "device_type": "thermometer"}


@pytest.fixture
async def tree(caller):
    """An organization with two children, of which the first has a child of its own."""
    tenant, parent = await caller(THERMOMETER)
    first_id, first = await parent.child("first")
    second_id, second = await parent.child("second")
    grandchild_id, grandchild = await first.child("grandchild")
    return {
        "parent": (str(tenant.organization_id), parent),
        "first": (first_id, first),
        "second": (second_id, second),
        "grandchild": (grandchild_id, grandchild),
    }


BELOW = {
    "parent": {"parent", "first", "second", "grandchild"},
    "first": {"first", "grandchild"},
    "second": {"second"},
    "grandchild": {"grandchild"},
}


async def test_a_parent_sees_its_descendants_and_nobody_sees_up_or_aside(tree):
    for name, (_, ask) in tree.items():
        expected = {tree[one][0] for one in BELOW[name]}
        assert await ask.seen("/organizations", "organizations", "organization_id") == expected
        for other, (other_id, _) in tree.items():
            status = 200 if other in BELOW[name] else 404
            assert (await ask("GET", f"/organizations/{other_id}")).status == status
            assert (await ask.acting_in(other_id)("GET", "/me")).status == status


async def test_acting_in_a_descendant_writes_there(tree):
    _, parent = tree["parent"]
    first_id, first = tree["first"]
    there = parent.acting_in(first_id)
    enrolled = (await there.made("/devices/bulk", {"devices": [ONE]}))["devices"][0]
    path = f"/devices/{enrolled['device_id']}"
    assert (await first("GET", path)).status == 200
    assert (await parent("GET", path)).status == 200
    assert (await tree["second"][1]("GET", path)).outcome == (404, "not_found")
    move = {"status": "maintenance", "reason": "from above"}
    assert (await parent("POST", f"{path}/status", move)).outcome == (404, "not_found")
    assert (await there("POST", f"{path}/status", move)).status == 200
    (entry,) = [
        one for one in
        (await first("GET", f"/audit?subject={enrolled['device_id']}")).body["entries"]
        if one["action"] == "status"
    ]  # fmt: skip
    assert entry["actor"] == (await parent("GET", "/me")).body["actor"]
    await there.made("/users", {"name": "made from above", "role": "admin"})
    assert await first.seen("/users", "users", "name") == {"made from above"}


async def test_whoever_acts_below_keeps_their_role(tree):
    _, parent = tree["parent"]
    first_id, _ = tree["first"]
    _, viewer = await parent.user("ann", "viewer")
    reply = await viewer.acting_in(first_id)("POST", "/devices/bulk", {"devices": []})
    assert reply.outcome == (403, "forbidden")
    assert (await viewer.acting_in(first_id)("GET", "/me")).body["role"] == "viewer"


async def test_what_is_not_below_is_not_there(tree, caller):
    stranger, _ = await caller()
    _, first = tree["first"]
    details = set()
    for other in (stranger.organization_id, tree["parent"][0], tree["second"][0], uuid.uuid4()):
        for method, path, body in (
            ("GET", "/me", None),
            ("GET", "/operations", None),
            ("POST", "/devices/bulk", {"devices": []}),
            ("POST", "/users", {"name": "n", "role": "viewer"}),
        ):
            reply = await first.acting_in(other)(method, path, body)
            assert reply.outcome == (404, "not_found")
            details.add(reply.body["detail"])
        body = {"name": "n", "parent_id": str(other)}
        reply = await first("POST", "/organizations", body)
        assert reply.outcome == (404, "not_found")
        details.add(reply.body["detail"])
        reply = await first("PATCH", f"/organizations/{other}", {"name": "mine"})
        details.add(reply.body["detail"])
    assert len(details) == 1


@pytest.mark.parametrize("wrong", ["", "x", "0", "../..", "1" * 5000])
async def test_a_header_that_is_no_id_is_refused(tree, wrong):
    reply = await tree["parent"][1].acting_in(wrong)("GET", "/me")
    assert reply.outcome == (422, "invalid")


async def test_the_operator_acts_in_any_organization_as_its_admin(tree, platform_operator):
    for organization_id, ask in tree.values():
        there = platform_operator.acting_in(organization_id)
        enrolled = (await there.made("/devices/bulk", {"devices": [ONE]}))["devices"][0]
        move = {"status": "suspended", "reason": "the operator says so"}
        path = f"/devices/{enrolled['device_id']}"
        assert (await there("POST", f"{path}/status", move)).status == 200
        entries = (await ask("GET", f"/audit?subject={enrolled['device_id']}")).body["entries"]
        assert entries[0]["actor"] == "operator"
        assert (await there("GET", "/users")).status == 200
    reply = await platform_operator.acting_in(uuid.uuid4())("GET", "/me")
    assert reply.outcome == (404, "not_found")
    reply = await platform_operator("GET", "/operations")
    assert reply.outcome == (403, "organization_unsaid")


async def test_the_operator_sees_and_makes_every_organization(tree, platform_operator):
    found = set()
    cursor = ""
    while cursor is not None:
        page = (await platform_operator("GET", f"/organizations?limit=1000{cursor}")).body
        found |= {one["organization_id"] for one in page["organizations"]}
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert found >= {organization_id for organization_id, _ in tree.values()}
    below = {"name": "by the operator", "parent_id": tree["second"][0]}
    made = await platform_operator.made("/organizations", below)
    path = f"/organizations/{made['organization_id']}"
    assert (await tree["second"][1]("GET", path)).body["name"] == "by the operator"
    assert (await platform_operator("GET", path)).status == 200
    unknown = {"name": "n", "parent_id": str(uuid.uuid4())}
    reply = await platform_operator("POST", "/organizations", unknown)
    assert reply.outcome == (404, "not_found")
    root = await platform_operator.made("/organizations", {"name": "a root"})
    assert root["parent_id"] is None


async def test_an_admin_renames_what_is_below(tree):
    _, parent = tree["parent"]
    path = f"/organizations/{tree['grandchild'][0]}"
    shown = await tree["grandchild"][1]("GET", path)
    etag = shown.headers["etag"]
    changed = await parent("PATCH", path, {"name": "renamed"}, If_Match=etag)
    assert changed.body["name"] == "renamed"
    assert changed.body["parent_id"] == tree["first"][0]
    assert (await parent("PATCH", path, {"name": "x"}, If_Match=etag)).outcome == (412, "stale")
    moved = await parent("PATCH", path, {"parent_id": tree["second"][0]})
    assert moved.outcome == (403, "forbidden")


async def test_the_operator_moves_but_makes_no_cycle(tree, platform_operator):
    ids = {name: organization_id for name, (organization_id, _) in tree.items()}

    async def move(name, below):
        body = {"parent_id": below and ids.get(below, below)}
        return await platform_operator("PATCH", f"/organizations/{ids[name]}", body)

    for below in ("parent", "first", "second", "grandchild"):
        assert (await move("parent", below)).outcome == (409, "organization_cycle")
    assert (await move("first", "grandchild")).outcome == (409, "organization_cycle")
    assert (await move("first", str(uuid.uuid4()))).outcome == (404, "not_found")
    assert (await move("first", "second")).status == 200
    assert await tree["second"][1].seen("/organizations", "organizations", "organization_id") == {
        ids["second"], ids["first"], ids["grandchild"],
    }  # fmt: skip
    assert (await move("first", None)).body["parent_id"] is None
    _, parent = tree["parent"]
    assert (await parent("GET", f"/organizations/{ids['grandchild']}")).status == 404


async def test_the_tree_is_of_bounded_depth(caller):
    """32 deep; one more is refused and leaves nothing."""
    tenant, top = await caller()
    above = str(tenant.organization_id)
    for _ in range(31):
        above = (await top.made("/organizations", {"name": "n", "parent_id": above}))[
            "organization_id"
        ]
    reply = await top("POST", "/organizations", {"name": "n", "parent_id": above})
    assert reply.outcome == (409, "organization_depth")
    assert len(await top.seen("/organizations", "organizations", "organization_id")) == 32


async def test_who_has_quotas_makes_no_organizations_that_have_none(platform, tree):
    """Or quotas would bound nobody; the operator decides for the tree."""
    first_id, first = tree["first"]
    _, parent = tree["parent"]
    async with platform.operator() as operator:
        await operator.put_quotas(uuid.UUID(first_id), NewQuotas(devices=5))
        refused = (403, "organization_bounded")
        assert (await first("POST", "/organizations", {"name": "x"})).outcome == refused
        grandchild, _ = tree["grandchild"]
        below = {"name": "x", "parent_id": grandchild}
        assert (await first("POST", "/organizations", below)).outcome == refused
        assert (await parent("POST", "/organizations", below)).outcome == refused
        assert (await parent("POST", "/organizations", {"name": "y"})).status == 201
        await operator.put_quotas(uuid.UUID(first_id), NewQuotas())
    assert (await first("POST", "/organizations", {"name": "x"})).status == 201
