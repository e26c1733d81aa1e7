"""Who may do what: roles, keys, people and groups of people, over HTTP."""

import asyncio
import uuid
from itertools import product

import pytest

from fleetplatform.wire.resources.devices import NewDevice

NOBODY = uuid.UUID(int=7)
ROLES = ("viewer", "operator", "admin")
STATUS = {"status": "maintenance", "reason": "a test"}
RULE = {"name": "hot", "conditions": {"threshold_high": 1.0}}
MATRIX = [
    ("viewer", "GET", "/me", None, 200),
    ("viewer", "GET", "/operations", None, 200),
    ("viewer", "GET", "/alerts", None, 200),
    ("viewer", "GET", "/alert-rules", None, 200),
    ("viewer", "GET", "/organizations", None, 200),
    ("viewer", "GET", f"/organizations/{NOBODY}", None, 404),
    ("viewer", "GET", f"/audit?subject={NOBODY}", None, 200),
    ("viewer", "GET", f"/devices/{NOBODY}", None, 404),
    ("operator", "POST", f"/devices/{NOBODY}/status", STATUS, 404),
    ("operator", "POST", "/devices/bulk", {"devices": []}, 201),
    ("operator", "POST", "/alert-rules", RULE | {"conditions": {}}, 422),
    ("admin", "POST", "/organizations", {"name": "below"}, 201),
    ("admin", "PATCH", f"/organizations/{NOBODY}", {}, 404),
    ("admin", "POST", "/users", {"name": "n", "role": "viewer"}, 201),
    ("admin", "GET", "/users", None, 200),
    ("admin", "GET", f"/users/{NOBODY}", None, 404),
    ("admin", "PATCH", f"/users/{NOBODY}", {}, 404),
    ("admin", "POST", f"/users/{NOBODY}/keys", {"name": "n", "role": "viewer"}, 404),
    ("admin", "POST", "/api-keys", {"name": "n", "role": "viewer"}, 201),
    ("admin", "GET", "/api-keys", None, 200),
    ("admin", "DELETE", f"/api-keys/{NOBODY}", None, 404),
    ("admin", "POST", "/user-groups", {"name": "n"}, 201),
    ("admin", "GET", "/user-groups", None, 200),
    ("admin", "GET", f"/user-groups/{NOBODY}", None, 404),
    ("admin", "PATCH", f"/user-groups/{NOBODY}", {}, 404),
    ("admin", "DELETE", f"/user-groups/{NOBODY}", None, 404),
    ("admin", "GET", f"/user-groups/{NOBODY}/members", None, 404),
    ("admin", "PUT", f"/user-groups/{NOBODY}/members/{NOBODY}", None, 404),
    ("admin", "DELETE", f"/user-groups/{NOBODY}/members/{NOBODY}", None, 404),
    ("admin", "GET", f"/user-groups/{NOBODY}/shares", None, 404),
    ("admin", "PUT", f"/user-groups/{NOBODY}/shares/{NOBODY}", None, 404),
    ("admin", "DELETE", f"/user-groups/{NOBODY}/shares/{NOBODY}", None, 404),
]


async def test_each_role_may_what_it_may_and_no_more(caller):
    _, admin = await caller()
    keys = {}
    for role in ROLES:
        key = await admin.made("/api-keys", {"name": role, "role": role})
        keys[role] = type(admin)(admin.service, key["token"])
    for (needed, method, path, body, status), role in product(MATRIX, ROLES):
        reply = await keys[role](method, path, body)
        if ROLES.index(role) < ROLES.index(needed):
            assert reply.outcome == (403, "forbidden"), (role, method, path)
            assert f"takes the role {needed}; the token has {role}" in reply.body["detail"]
        else:
            assert reply.status == status, (role, method, path, reply.body)


async def test_me_says_as_whom_a_token_works(caller, platform_operator):
    tenant, admin = await caller()
    user_id, user = await admin.user("ann", "operator")
    assert (await user("GET", "/me")).body == {
        "organization_id": str(tenant.organization_id), "role": "operator",
        "actor": f"user:{user_id}", "user_id": user_id, "device_groups": None,
    }  # fmt: skip
    program = (await admin("GET", "/me")).body
    assert (program["role"], program["user_id"]) == ("admin", None)
    assert program["actor"].startswith("api_key:")
    nowhere = (await platform_operator("GET", "/me")).body
    assert (nowhere["organization_id"], nowhere["actor"]) == (None, "operator")
    there = await platform_operator.acting_in(tenant.organization_id)("GET", "/me")
    assert there.body["organization_id"] == str(tenant.organization_id)
    assert there.body["actor"] == "operator"


async def test_a_revoked_key_is_refused_at_once(caller):
    _, admin = await caller()
    key = await admin.made("/api-keys", {"name": "program", "role": "operator"})
    program = type(admin)(admin.service, key["token"])
    assert (await program("GET", "/me")).status == 200
    path = f"/api-keys/{key['api_key_id']}"
    assert (await admin("DELETE", path)).status == 204
    assert (await program("GET", "/me")).outcome == (401, "unauthorized")
    assert (await admin("DELETE", path)).outcome == (404, "not_found")
    (listed,) = [
        one for one in (await admin("GET", "/api-keys")).body["api_keys"]
        if one["api_key_id"] == key["api_key_id"]
    ]  # fmt: skip
    assert listed["revoked_at_us"] >= listed["created_at_us"] > 0
    assert "token" not in listed


async def test_the_last_key_of_an_admin_stays_unless_the_operator_takes_it(
    caller, platform_operator
):
    tenant, admin = await caller()
    (first,) = (await admin("GET", "/api-keys")).body["api_keys"]
    path = f"/api-keys/{first['api_key_id']}"
    assert (await admin("DELETE", path)).outcome == (409, "last_admin_key")
    user_id, user = await admin.user("ann", "admin")
    assert (await user("DELETE", path)).status == 204
    (key,) = (await user("GET", f"/api-keys?user_id={user_id}")).body["api_keys"]
    mine = f"/api-keys/{key['api_key_id']}"
    for method, path, body in (
        ("DELETE", mine, None),
        ("PATCH", f"/users/{user_id}", {"role": "operator"}),
        ("PATCH", f"/users/{user_id}", {"active": False}),
    ):
        assert (await user(method, path, body)).outcome == (409, "last_admin_key")
    assert (await user("GET", "/me")).body["role"] == "admin"
    there = platform_operator.acting_in(tenant.organization_id)
    assert (await there("DELETE", mine)).status == 204
    assert (await user("GET", "/me")).status == 401
    assert (await there.made("/api-keys", {"name": "new", "role": "admin"}))["token"]


@pytest.mark.campaign
async def test_of_two_admins_who_revoke_each_other_one_stays(caller, platform_rows, eventually):
    """Both are let in before either is done: the second must see what the first did."""
    tenant, admin = await caller()
    (first,) = (await admin("GET", "/api-keys")).body["api_keys"]
    second = await admin.made("/api-keys", {"name": "second", "role": "admin"})
    other = type(admin)(admin.service, second["token"])

    async def both_wait() -> bool:
        waiting = "select count(*) from pg_locks where not granted"
        return bool(await platform_rows.fetchval(waiting) >= 2)

    async with platform_rows.transaction():
        await platform_rows.execute(
            "select from iot.organizations where organization_id = $1 for no key update",
            tenant.organization_id,
        )
        asked = asyncio.gather(
            admin("DELETE", f"/api-keys/{second['api_key_id']}"),
            other("DELETE", f"/api-keys/{first['api_key_id']}"),
        )
        await eventually(both_wait, timeout_s=10)
    outcomes = [reply.outcome for reply in await asked]
    assert sorted(outcomes) == [(204, None), (409, "last_admin_key")]
    alive = [(await one("GET", "/me")).status for one in (admin, other)]
    assert sorted(alive) == [200, 401]


async def test_a_persons_key_may_what_the_person_may(caller):
    _, admin = await caller()
    user_id, user = await admin.user("ann", "admin")
    assert (await user("GET", "/users")).status == 200
    assert (await admin("PATCH", f"/users/{user_id}", {"role": "viewer"})).status == 200
    assert (await user("GET", "/users")).outcome == (403, "forbidden")
    assert (await user("GET", "/me")).body["role"] == "viewer"
    reply = await admin("POST", f"/users/{user_id}/keys", {"name": "k", "role": "operator"})
    assert reply.outcome == (403, "role_too_high")


async def test_a_deactivated_user_is_refused_at_once_until_active_again(caller):
    _, admin = await caller()
    user_id, user = await admin.user("ann", "operator")
    path = f"/users/{user_id}"
    gone = (await admin("PATCH", path, {"active": False})).body
    assert gone["deactivated_at_us"] >= gone["created_at_us"]
    assert (await user("GET", "/me")).outcome == (401, "unauthorized")
    reply = await admin("POST", f"{path}/keys", {"name": "k", "role": "viewer"})
    assert reply.outcome == (409, "user_deactivated")
    assert (await admin("PATCH", path, {"active": True})).body["deactivated_at_us"] is None
    assert (await user("GET", "/me")).status == 200


async def test_a_user_is_changed_in_what_is_given_and_no_more(caller):
    _, admin = await caller()
    user = await admin.made("/users", {"name": "ann", "role": "viewer", "email": "a@b.example"})
    path = f"/users/{user['user_id']}"
    shown = await admin("GET", path)
    assert shown.body == user
    assert shown.headers["etag"] == f'"{user["revision"]}"'
    changed = await admin("PATCH", path, {"email": None}, If_Match=shown.headers["etag"])
    assert changed.body | {"revision": 0} == user | {"email": None, "revision": 0}
    stale = await admin("PATCH", path, {"name": "bob"}, If_Match=shown.headers["etag"])
    assert stale.outcome == (412, "stale")
    unchanged = await admin("PATCH", path, {}, If_Match=changed.headers["etag"])
    assert unchanged.body["name"] == "ann"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"name": "ann", "role": "viewer"}, (409, "name_taken")),
        ({"name": "", "role": "viewer"}, (422, "invalid")),
        ({"name": "x" * 201, "role": "viewer"}, (422, "invalid")),
        ({"name": "a\0b", "role": "viewer"}, (422, "invalid")),
        ({"name": "bob", "role": "king"}, (422, "invalid")),
        ({"name": "bob", "role": "viewer", "email": "nobody"}, (422, "invalid")),
        ({"name": "bob", "role": "viewer", "email": "a@\0"}, (422, "invalid")),
        ({"name": "bob", "role": "viewer", "shoe_size": 43}, (422, "invalid")),
        ({"name": "bob", "role": "operator", "sees_all": False}, (422, "only_viewers_limited")),
        ([], (422, "invalid")),
    ],
)
async def test_a_user_who_cannot_be_is_refused(caller, body, outcome):
    _, admin = await caller()
    await admin.made("/users", {"name": "ann", "role": "viewer"})
    assert (await admin("POST", "/users", body)).outcome == outcome
    assert await admin.seen("/users", "users", "name") == {"ann"}


async def test_lists_come_in_pages_in_the_order_that_is_asked_for(caller):
    _, admin = await caller()
    names = ["d", "b", "c", "a", "e"]
    for name in names:
        await admin.made("/users", {"name": name, "role": "viewer"})
        await admin.made("/user-groups", {"name": name})
        await admin.made("/api-keys", {"name": name, "role": "viewer"})
        await admin.made("/organizations", {"name": name})
    orders = {"name": sorted(names), "-name": sorted(names, reverse=True),
              "created": names, "-created": names[::-1]}  # fmt: skip
    lists = {"users": "users", "user-groups": "user_groups", "api-keys": "api_keys",
             "organizations": "organizations"}  # fmt: skip
    for (path, member), (sort, expected) in product(lists.items(), orders.items()):
        found, cursor = [], ""
        while cursor is not None:
            page = (await admin("GET", f"/{path}?limit=2&sort={sort}{cursor}")).body
            found += [one["name"] for one in page[member]]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        assert [name for name in found if name in names] == expected, (path, sort)


async def test_a_group_of_people_and_what_is_shared_with_it(caller, platform_rows):
    tenant, admin = await caller(NewDevice(serial_number="t1", device_type="thermometer"))
    group_id = await platform_rows.fetchval(
        "insert into iot.device_groups (organization_id, name, kind) values ($1, 'g', 'static')"
        " returning group_id",
        tenant.organization_id,
    )
    user_id, _ = await admin.user("ann", "viewer", sees_all=False)
    group = await admin.made("/user-groups", {"name": "first floor"})
    path = f"/user-groups/{group['user_group_id']}"
    member, share = f"{path}/members/{user_id}", f"{path}/shares/{group_id}"
    for tie in (member, member, share, share):
        assert (await admin("PUT", tie)).status == 204
    assert (await admin("GET", f"{path}/members")).body["members"] == [
        {"user_id": user_id, "name": "ann", "role": "viewer", "sees_all": False, "active": True}
    ]
    assert (await admin("GET", f"{path}/shares")).body["shares"] == [
        {"group_id": str(group_id), "name": "g", "kind": "static"}
    ]
    renamed = await admin("PATCH", path, {"name": "second floor"})
    assert renamed.body["name"] == "second floor"
    assert (await admin("PATCH", path, {}, If_Match='"1"')).outcome == (412, "stale")
    await admin.made("/user-groups", {"name": "first floor"})
    taken = await admin("PATCH", path, {"name": "first floor"})
    assert taken.outcome == (409, "name_taken")
    for tie in (member, share):
        assert (await admin("DELETE", tie)).status == 204
        assert (await admin("DELETE", tie)).outcome == (404, "not_found")
    await admin("PUT", member)
    assert (await admin("DELETE", path)).status == 204
    assert (await admin("GET", path)).outcome == (404, "not_found")
    assert (await admin("GET", f"/users/{user_id}")).status == 200


async def test_ties_do_not_reach_another_organization(caller, platform_rows):
    _, admin = await caller()
    other, stranger = await caller()
    group_id = await platform_rows.fetchval(
        "insert into iot.device_groups (organization_id, name, kind) values ($1, 'g', 'static')"
        " returning group_id",
        other.organization_id,
    )
    user_id, _ = await stranger.user("bob", "viewer")
    group = (await admin.made("/user-groups", {"name": "mine"}))["user_group_id"]
    details = set()
    for user in (user_id, uuid.uuid4()):
        reply = await admin("PUT", f"/user-groups/{group}/members/{user}")
        assert reply.outcome == (404, "not_found")
        details.add(reply.body["detail"])
    for shared in (group_id, uuid.uuid4()):
        reply = await admin("PUT", f"/user-groups/{group}/shares/{shared}")
        assert reply.outcome == (404, "not_found")
        details.add(reply.body["detail"])
    assert len(details) == 2
