"""What the database's roles are and may do: each what it must, and no more."""

import asyncpg
import pytest

OURS = ("iot", "iot_private")
SERVICES = ("iot_ingest", "iot_worker", "iot_api")


async def _names(conn: asyncpg.Connection, query: str, *args: object) -> list[str]:
    return [row[0] for row in await conn.fetch(query, *args)]


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
    # A view of iot joins it with sensors, as which it is limited; test_rollup_kinds.py tries it.
    assert granted == ["iot_private.materialized_hours"]
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
                "seasonal_profiles": "DELETE INSERT SELECT UPDATE",
                "seasonal_hours": "DELETE INSERT SELECT UPDATE",
                "organizations": "SELECT",
                "organization_days": "INSERT",
                "organization_quotas": "SELECT",
                "organization_rates": "INSERT SELECT UPDATE",
                "device_types": "SELECT",
                "device_type_versions": "SELECT",
                "device_contacts": "INSERT SELECT",
                "devices": "SELECT",
                "device_credentials": "SELECT",
                "sensors": "SELECT",
                "sensor_calibrations": "SELECT",
                "alert_rules": "SELECT",
                "data_processing_rules": "SELECT",
                "processed_data": "INSERT",
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
    assert columns == ["iot.device_contacts.last_seen_at UPDATE"]


MAY_DELETE = {
    "iot_api device_group_members", "iot_api device_group_shares", "iot_api device_groups",
    "iot_api user_group_members", "iot_api user_groups", "iot_worker rollup_hours",
    "iot_ingest seasonal_hours", "iot_ingest seasonal_profiles", "iot_worker idempotency_keys",
    "iot_worker sensor_hourly_aggregates",
    "iot_api data_retention_policies",
}  # fmt: skip
"""Ties, groups, answers kept for a while and a detector's state may go; what happened, and who
exists, stays.
"""


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
        "compare_sensitive", "encrypt_sensor_value", "ensure_partition",
        "ensure_processed_month", "find_stored", "has_readings_before", "last_readings",
        "process_batch", "process_sensor_data", "read_back", "readings_since", "recent_readings",
        "recent_values",
        "record_reported_places", "store_sensitive", "sums_since",
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
