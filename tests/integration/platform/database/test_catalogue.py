"""What the catalogue says of the schema: comments, row security, references, grants, roles."""

import asyncpg
import pytest

OURS = ("iot", "iot_private")
NOT_TENANT_TABLES = {
    "platform_clock", "storage_layout", "device_types", "device_type_versions",
    "detector_checkpoints",
}
SERVICES = ("iot_ingest", "iot_worker", "iot_api")


async def _names(conn: asyncpg.Connection, query: str, *args: object) -> list[str]:
    return [row[0] for row in await conn.fetch(query, *args)]


async def test_every_table_and_column_has_a_comment(owner: asyncpg.Connection) -> None:
    bare = await _names(
        owner,
        """
        select c.oid::regclass || coalesce('.' || a.attname, '')
        from pg_class as c
        left join lateral (
            select 0 as attnum, null as attname
            union all
            select attnum, attname from pg_attribute
            where attrelid = c.oid and attnum > 0 and not attisdropped
        ) as a on true
        where c.relnamespace::regnamespace::text = any ($1)
          and c.relkind in ('r', 'p', 'v', 'm')
          and col_description(c.oid, a.attnum) is null
          and (a.attnum > 0 or obj_description(c.oid, 'pg_class') is null)
        """,
        OURS,
    )
    assert bare == []


async def test_every_function_has_a_comment(owner: asyncpg.Connection) -> None:
    bare = await _names(
        owner,
        """
        select p.oid::regprocedure::text from pg_proc as p
        where p.pronamespace::regnamespace::text = any ($1)
          and obj_description(p.oid, 'pg_proc') is null
        """,
        OURS,
    )
    assert bare == []


async def test_row_security_is_forced_on_every_tenant_table(owner: asyncpg.Connection) -> None:
    open_tables = await _names(
        owner,
        """
        select c.relname from pg_class as c
        where c.relnamespace = 'iot'::regnamespace and c.relkind in ('r', 'p')
          and not (c.relrowsecurity and c.relforcerowsecurity)
        """,
    )
    assert set(open_tables) == NOT_TENANT_TABLES


async def test_every_tenant_table_has_both_policies_with_both_clauses(
    owner: asyncpg.Connection,
) -> None:
    rows = await owner.fetch(
        """
        select c.relname as name, p.roles, p.qual, p.with_check, p.cmd
        from pg_class as c
        left join pg_policies as p on p.schemaname = 'iot' and p.tablename = c.relname
        where c.relnamespace = 'iot'::regnamespace and c.relkind in ('r', 'p')
          and not c.relispartition
        """
    )
    tables = {row["name"] for row in rows} - NOT_TENANT_TABLES
    complete = {
        (row["name"], tuple(row["roles"]))
        for row in rows
        if row["qual"] and row["with_check"] and row["cmd"] == "ALL"
    }
    assert complete == {(name, (role,)) for name in tables for role in ("iot_api", "iot_worker")}


async def test_the_tenant_policies_read_the_visible_set_and_write_the_one_tenant(
    owner: asyncpg.Connection,
) -> None:
    rows = await owner.fetch(
        "select qual, with_check from pg_policies"
        " where schemaname = 'iot' and policyname = 'tenant'"
    )
    assert len(rows) >= 10
    assert all("app.organization_ids" in row["qual"] for row in rows)
    assert all("app.organization_ids" not in row["with_check"] for row in rows)
    assert all("app.organization_id" in row["with_check"] for row in rows)


async def test_references_between_tenant_tables_are_composite(owner: asyncpg.Connection) -> None:
    """A foreign key looks past row security, so the tenant is part of it."""
    rows = await owner.fetch(
        """
        select c.conrelid::regclass::text as from_table, c.confrelid::regclass::text as to_table,
            (select attname from pg_attribute
             where attrelid = c.conrelid and attnum = c.conkey[1]) as first_column,
            cardinality(c.conkey) as width
        from pg_constraint as c
        where c.contype = 'f' and c.connamespace = 'iot'::regnamespace
        """
    )
    global_tables = {"iot.organizations", "iot.device_types", "iot.device_type_versions"}
    loose = [
        (row["from_table"], row["to_table"])
        for row in rows
        if row["to_table"] not in global_tables
        and (row["first_column"] != "organization_id" or row["width"] != 2)
    ]
    assert loose == []
    assert len(rows) > 15


async def test_the_tenant_comes_first_in_unique_keys(owner: asyncpg.Connection) -> None:
    """But for keys of one column (an identity, a digest) and sensor_data."""
    loose = await _names(
        owner,
        """
        select i.indexrelid::regclass::text
        from pg_index as i
        join pg_class as c on c.oid = i.indrelid
        join pg_attribute as a on a.attrelid = c.oid and a.attnum = i.indkey[0]
        where c.relnamespace = 'iot'::regnamespace and i.indisunique and i.indnkeyatts > 1
          and c.relname not like 'sensor_data%' and a.attname <> 'organization_id'
          and c.relname <> all ($1)
        """,
        NOT_TENANT_TABLES,
    )
    assert loose == []


async def test_definer_functions_are_pinned_and_closed_to_the_public(
    owner: asyncpg.Connection,
) -> None:
    rows = await owner.fetch(
        """
        select p.oid::regprocedure::text as name, p.proconfig, p.prosecdef,
            exists (
                select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
                where a.grantee = 0
            ) as public_may_call
        from pg_proc as p
        where p.pronamespace::regnamespace::text = any ($1)
        """,
        OURS,
    )
    assert [row["name"] for row in rows if row["public_may_call"]] == []
    definers = [row for row in rows if row["prosecdef"]]
    unpinned = [
        row["name"]
        for row in definers
        if not any(
            option.startswith("search_path=") and option.endswith("pg_temp")
            for option in row["proconfig"] or ()
        )
    ]
    assert unpinned == []
    assert len(definers) >= 6


async def test_everything_belongs_to_the_owner(owner: asyncpg.Connection) -> None:
    others = await _names(
        owner,
        """
        select oid::regclass::text from pg_class
        where relnamespace::regnamespace::text = any ($1) and relowner <> 'iot_owner'::regrole
        union all
        select oid::regprocedure::text from pg_proc
        where pronamespace::regnamespace::text = any ($1) and proowner <> 'iot_owner'::regrole
        """,
        OURS,
    )
    assert others == []


async def test_roles_have_the_attributes_of_the_table(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        """
        select rolname, rolcanlogin, rolbypassrls,
            rolsuper or rolcreaterole or rolcreatedb or rolreplication as may_more
        from pg_roles where rolname like 'iot\\_%'
        """
    )
    found = {row["rolname"]: tuple(row)[1:] for row in rows}
    assert found == {
        "iot_owner": (False, True, False),
        "iot_migrator": (True, False, False),
        "iot_ingest": (True, True, False),
        "iot_worker": (True, False, False),
        "iot_api": (True, False, False),
    }
    members = await owner.fetch(
        """
        select member::regrole::text, roleid::regrole::text from pg_auth_members
        where member::regrole::text like 'iot\\_%'
        """
    )
    assert [tuple(row) for row in members] == [("iot_migrator", "iot_owner")]


async def test_partitions_and_private_tables_are_granted_to_nobody(
    owner: asyncpg.Connection,
) -> None:
    await owner.fetchval("select iot.ensure_partition('2026-05-05', 1::smallint)")
    granted = await _names(
        owner,
        """
        select c.oid::regclass::text from pg_class as c
        where (c.relispartition or c.relnamespace = 'iot_private'::regnamespace)
          and c.relnamespace::regnamespace::text = any ($1)
          and exists (select from aclexplode(c.relacl) as a where a.grantee <> c.relowner)
        """,
        OURS,
    )
    assert granted == []
    usable = [
        role
        for role in SERVICES
        if await owner.fetchval("select has_schema_privilege($1, 'iot_private', 'usage')", role)
    ]
    assert usable == []


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (
            "iot_ingest",
            {
                "sensor_data": "INSERT",
                "alerts": "INSERT SELECT UPDATE",
                "alert_events": "INSERT",
                "sensor_hourly_sums": "INSERT SELECT UPDATE",
                "detector_checkpoints": "INSERT SELECT UPDATE",
                "organizations": "SELECT",
                "device_types": "SELECT",
                "device_type_versions": "SELECT",
                "devices": "SELECT",
                "device_credentials": "SELECT",
                "sensors": "SELECT",
                "sensor_calibrations": "SELECT",
                "alert_rules": "SELECT",
                "platform_clock": "SELECT",
                "storage_layout": "SELECT",
                "registry_revision": "SELECT",
            },
        ),
    ],
)
async def test_ingest_may_do_what_it_must_and_no_more(
    owner: asyncpg.Connection, role: str, expected: dict[str, str]
) -> None:
    rows = await owner.fetch(
        """
        select c.relname, string_agg(a.privilege_type, ' ' order by a.privilege_type) as may
        from pg_class as c, aclexplode(c.relacl) as a
        where a.grantee = $1::regrole and c.relnamespace = 'iot'::regnamespace
        group by c.relname
        """,
        role,
    )
    assert {row["relname"]: row["may"] for row in rows} == expected
    columns = await _names(
        owner,
        """
        select format('%s.%s %s', a.attrelid::regclass, a.attname, g.privilege_type)
        from pg_attribute as a, aclexplode(a.attacl) as g
        where g.grantee = $1::regrole
        """,
        role,
    )
    assert columns == ["iot.devices.last_seen_at UPDATE"]


MAY_DELETE = {
    "iot_api device_group_members", "iot_api device_group_shares", "iot_api device_groups",
    "iot_api user_group_members", "iot_api user_groups",
}  # fmt: skip
"""Ties and groups may go; what happened, and who exists, stays."""


async def test_ingest_may_call_what_it_must_and_no_more(owner: asyncpg.Connection) -> None:
    """Definer functions are how it reads what it may not see and writes what is not its own."""
    may_call = await _names(
        owner,
        """
        select distinct p.proname::text from pg_proc as p
        where p.pronamespace = 'iot'::regnamespace and p.prosecdef
          and has_function_privilege('iot_ingest', p.oid, 'execute')
        order by 1
        """,
    )
    assert may_call == [
        "ensure_partition", "find_stored", "has_readings_before", "last_measured",
        "process_sensor_data", "record_reported_places", "sums_since",
    ]  # fmt: skip


async def test_nobody_may_truncate_and_only_ties_may_be_deleted(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        """
        select a.grantee::regrole || ' ' || c.relname as what, a.privilege_type as may
        from pg_class as c, aclexplode(c.relacl) as a
        where a.privilege_type in ('DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN')
          and a.grantee <> c.relowner and c.relnamespace::regnamespace::text = any ($1)
        """,
        OURS,
    )
    assert {row["may"] for row in rows} <= {"DELETE"}
    assert {row["what"] for row in rows} == MAY_DELETE


LIMITED = {
    "devices", "sensors", "alerts", "device_locations", "device_places", "geofence_presences",
    "geofence_events",
}  # fmt: skip
"""Tables of which people who are limited to groups of devices see a part."""


async def test_tables_of_devices_are_limited_to_shared_groups(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "select tablename, permissive, roles, cmd from pg_policies"
        " where schemaname = 'iot' and policyname = 'shared_groups'"
    )
    assert {row["tablename"] for row in rows} == LIMITED
    shapes = {(row["permissive"], tuple(row["roles"]), row["cmd"]) for row in rows}
    assert shapes == {("RESTRICTIVE", ("iot_api",), "ALL")}


@pytest.mark.parametrize(
    ("table", "index", "fragment"),
    [
        ("devices", "idx_devices_active", "WHERE (device_status = 'active'::text)"),
        ("sensors", "idx_sensors_active", "WHERE (sensor_status = 'active'::text)"),
        ("alerts", "idx_alerts_metadata", "USING gin (alert_metadata)"),
        ("sensor_data", "idx_sensor_data_time_brin", "USING brin (measurement_timestamp)"),
    ],
)
async def test_the_documents_indexes_are_there(
    owner: asyncpg.Connection, table: str, index: str, fragment: str
) -> None:
    definition = await owner.fetchval(
        "select indexdef from pg_indexes where schemaname = 'iot' and indexname = $2"
        " and tablename = $1",
        table,
        index,
    )
    assert fragment in definition
