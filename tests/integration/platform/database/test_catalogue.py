"""What the catalogue says of the schema: comments, row security, references, views, audit."""

import asyncpg
import pytest

OURS = ("iot", "iot_private")
NOT_TENANT_TABLES = {
    "platform_clock", "storage_layout", "device_types", "device_type_versions",
    "detector_checkpoints", "rollup_progress", "rollup_choice", "key_rotations",
    "retired_partitions", "retention_surveys",
}


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


LIMITED = {
    "devices", "sensors", "alerts", "device_credentials", "audit_log", "sensor_calibrations",
    "alert_rules", "alert_events", "device_groups", "device_group_members",
    "sensor_hourly_aggregates", "maintenance_records", "reprocessing_jobs",
    "device_locations", "device_places", "geofence_presences", "geofence_events",
    "device_certificates", "device_contacts", "device_configuration_versions", "claim_tokens",
    "processed_data",
}  # fmt: skip
"""Tables of which people who are limited to groups of devices see a part; sensor_data says so in
its own tenant policy, which is cheaper by row."""


async def test_every_table_with_a_device_is_limited(owner: asyncpg.Connection) -> None:
    """That iot_api can read at all; partitions it cannot."""
    tables = await _names(
        owner,
        """
        select c.relname
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid and a.attname = 'device_id'
        where c.relnamespace = 'iot'::regnamespace and c.relkind in ('r', 'p')
          and has_table_privilege('iot_api', c.oid, 'select')
        """,
    )
    assert {"devices", "sensors", "alerts"} < set(tables) - {"sensor_data"} <= LIMITED
    readings = await owner.fetchval(
        "select qual from pg_policies where tablename = 'sensor_data' and policyname = 'tenant'"
    )
    assert "app.device_groups" in readings


VIEWS = """
    select c.oid::regclass::text as name,
        c.relkind = 'v' and not coalesce('security_invoker=true' = any (c.reloptions), false)
            as is_definers,
        c.relkind = 'm' and c.relnamespace <> 'iot_private'::regnamespace as is_open
    from pg_class as c
    where c.relkind in ('v', 'm') and c.relnamespace::regnamespace::text <> all (
        array['pg_catalog', 'information_schema']
    )
"""


async def test_views_are_read_with_the_rights_of_whoever_asks(owner: asyncpg.Connection) -> None:
    """A materialised view has no row security at all: none lies where a service could read it."""
    views = await owner.fetch(VIEWS)
    assert [row["name"] for row in views if row["is_definers"] or row["is_open"]] == []
    assert "iot.iot_operations_dashboard" in {row["name"] for row in views}
    for wrong in (
        "create view iot.wrong as select 1 as one",
        "create view iot.wrong with (security_invoker = false) as select 1 as one",
        "create materialized view iot.wrong as select 1 as one",
    ):
        await owner.execute(wrong)
        found = await owner.fetch(VIEWS)
        assert [r["name"] for r in found if r["is_definers"] or r["is_open"]] == ["iot.wrong"]
        await owner.execute(f"drop {'materialized ' * ('mat' in wrong)}view iot.wrong")


async def test_tables_of_devices_are_limited_to_shared_groups(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "select tablename, permissive, roles, cmd from pg_policies"
        " where schemaname = 'iot' and policyname = 'shared_groups'"
    )
    assert {row["tablename"] for row in rows} == LIMITED
    shapes = {(row["permissive"], tuple(row["roles"]), row["cmd"]) for row in rows}
    assert shapes == {("RESTRICTIVE", ("iot_api",), "ALL")}


NOT_AUDITED = {
    "alert_events": "is itself a record of what happened",
    "archive_manifests": "what the worker does, step by step",
    "alerts": "raised and cleared by readings; each step is an alert event",
    "audit_log": "is the audit",
    "device_contacts": "noted by ingest",
    "device_locations": "is itself a history, with who told it",
    "device_places": "follow from the history of locations",
    "expired_readings": "counted by the worker",
    "geofence_events": "is itself a record of what happened",
    "geofence_presences": "follow from the history of locations",
    "idempotency_keys": "requests and their answers, kept for a day",
    "organization_days": "noted by ingest",
    "organization_rates": "counted by ingest",
    "processed_data": "follow from readings",
    "reprocessing_jobs": "carry who asked for them; their progress is the worker's",
    "rollup_floors": "follow from retention",
    "rollup_hours": "follow from readings",
    "seasonal_hours": "follow from readings",
    "seasonal_profiles": "follow from readings",
    "sensor_data": "readings",
    "sensor_hourly_aggregates": "follow from readings",
    "sensor_hourly_sums": "follow from readings",
}
"""Tenant tables that no person changes, and why that needs no entry in the audit log."""


async def test_what_people_change_is_audited(owner: asyncpg.Connection) -> None:
    """A new tenant table: `select iot_private.audit('iot.x', 'kind', 'x_id')` in its migration."""
    rows = await owner.fetch(
        """
        select c.relname as name, array(
            select t.tgname::text from pg_trigger as t
            where t.tgrelid = c.oid and t.tgfoid = 'iot_private.record_changes'::regproc
            order by t.tgname
        ) as triggers
        from pg_class as c
        where c.relnamespace = 'iot'::regnamespace and c.relkind in ('r', 'p')
          and not c.relispartition
        """
    )
    tables = {row["name"]: row["triggers"] for row in rows if row["name"] not in NOT_TENANT_TABLES}
    silent = {name for name, triggers in tables.items() if not triggers}
    assert silent == NOT_AUDITED.keys()
    complete = ["record_delete", "record_insert", "record_update"]
    assert [name for name in tables.keys() - silent if tables[name] != complete] == []
    told = await owner.fetch("select table_name from iot_private.audited_tables")
    assert {row["table_name"] for row in told} == {f"iot.{name}" for name in tables.keys() - silent}


@pytest.mark.parametrize(
    ("table", "index", "fragment"),
    [
        ("devices", "idx_devices_active", "WHERE (device_status = 'active'::text)"),
        ("sensors", "idx_sensors_active", "WHERE (sensor_status = 'active'::text)"),
        ("alerts", "idx_alerts_metadata", "USING gin (alert_metadata)"),
        ("sensor_data", "idx_sensor_data_time_brin", "USING brin (measurement_timestamp, "),
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
