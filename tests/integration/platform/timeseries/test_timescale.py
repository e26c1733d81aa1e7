"""The layout of TimescaleDB, without TimescaleDB.

A schema of this test's own has functions with the extension's names and arguments, which note down
how they were called and leave the table as it is; what PostgreSQL alone cannot run is noted down
and parsed. That proves that the calls are made, with the right types, in this order, on a table
without row level security and without partitions, and that what the platform does on top (COPY
beneath the view, reading, changing, tenants kept apart) works. It proves nothing about the
extension.
"""

import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import numpy as np
import pglast
import pytest

from fleetplatform import timeseries
from fleetplatform.admin import PreparedDatabase, prepare_database
from fleetplatform.batch import Rows
from fleetplatform.database.pool import open_pool
from fleetplatform.errors import LayoutError
from fleetplatform.settings import PlatformSettings
from fleetplatform.timeseries.partitions import Partitions

MakeRows = Callable[..., Rows]
MakeSettings = Callable[..., PlatformSettings]

STUB = """
set check_function_bodies = off;
create schema stub;
create table stub.calls (number int generated always as identity, call text);
create function stub.note(call text) returns void language sql
    as $$ insert into stub.calls (call) values (call) $$;
create type stub.dimension_info as (column_name name, width interval);
create function stub.by_range(
    column_name name, partition_interval anyelement default null::bigint,
    partition_func regproc default null
) returns stub.dimension_info language sql
    as $$ select row(column_name, partition_interval::text::interval)::stub.dimension_info $$;
create function stub.create_hypertable(
    relation regclass, dimension stub.dimension_info, create_default_indexes boolean default true,
    if_not_exists boolean default false, migrate_data boolean default false
) returns table (hypertable_id int, created boolean) language sql as $$
    select stub.note(format('hypertable %s by %s of %s, partitioned %s, row security %s, rows %s',
        relation, (dimension).column_name, (dimension).width,
        (select relkind = 'p' from pg_class where oid = relation),
        (select relrowsecurity from pg_class where oid = relation),
        (select count(*) from iot.readings)));
    select 1, true
$$;
{chunks}
create or replace function iot_private.do_as_written(statement text) returns void language sql
    set search_path = pg_catalog, pg_temp
    as $$ select stub.note(statement) $$;
grant usage on schema stub to iot_owner;
grant all on all tables in schema stub to iot_owner;
grant execute on all functions in schema stub to iot_owner;
"""
CHUNKS = """
create function stub.show_chunks(relation regclass, older_than timestamptz) returns setof regclass
    language sql as $$ select relation where older_than > '2026-01-01' $$;
create function stub.compress_chunk(
    uncompressed_chunk regclass, if_not_compressed boolean default true,
    recompress boolean default false
) returns regclass language sql as $$
    select stub.note('compress ' || uncompressed_chunk); select uncompressed_chunk $$;
create function stub.drop_chunks(relation regclass, older_than timestamptz) returns setof text
    language sql as $$ select stub.note('drop ' || older_than); select relation::text $$;
"""
CHUNKS_AND_STUB = STUB.replace("{chunks}", CHUNKS)
OWN, OTHER = uuid.UUID(int=9 << 64 | 1), uuid.UUID(int=5)


async def test_a_server_without_the_extension_is_refused_before_anything_is_made(
    database_url: str, make_settings: MakeSettings
) -> None:
    with pytest.raises(LayoutError, match="the layout timescale needs the extension timescaledb"):
        await prepare_database(database_url, make_settings("timescale"))
    conn = await asyncpg.connect(database_url)
    made = await conn.fetchval("select count(*) from pg_namespace where nspname like 'iot%'")
    await conn.close()
    assert made == 0


@pytest.fixture
async def stubbed(
    database_url: str, make_settings: MakeSettings
) -> tuple[PreparedDatabase, asyncpg.Connection]:
    """A database whose plain table was given to the stub, and its owner."""
    prepared = await prepare_database(database_url, make_settings("single", indexes="minimal"))
    owner = await asyncpg.connect(prepared.owner_url)
    await owner.execute(CHUNKS_AND_STUB)
    await owner.execute("set role iot_owner")
    await owner.execute("select iot_private.make_hypertable('stub')")
    await owner.execute("update iot.storage_layout set kind = 'timescale'")
    await owner.execute("reset role")
    return prepared, owner


async def test_the_table_is_handed_over_empty_whole_and_without_row_security(
    stubbed: tuple[PreparedDatabase, asyncpg.Connection],
) -> None:
    _, owner = stubbed
    calls = [row["call"] for row in await owner.fetch("select * from stub.calls order by number")]
    assert calls[0] == (
        "hypertable iot.readings by measurement_timestamp of 1 day, partitioned f,"
        " row security f, rows 0"
    )
    kinds = [pglast.parse_sql(statement)[0].stmt.__class__.__name__ for statement in calls[1:]]
    assert kinds == ["AlterTableStmt", "CreateTableAsStmt"]
    await owner.execute(
        "select iot_private.keep_chunks('stub', '2026-06-01', '2026-05-01'),"
        " iot_private.keep_chunks('stub', '2025-06-01', null)"
    )
    told = await owner.fetch("select call from stub.calls where number > 3 order by number")
    assert [row["call"].split()[0] for row in told] == ["compress", "drop"]
    await owner.close()


async def test_the_view_is_written_read_and_changed_as_the_table_is(
    stubbed: tuple[PreparedDatabase, asyncpg.Connection],
    make_settings: MakeSettings,
    make_rows: MakeRows,
) -> None:
    prepared, owner = stubbed
    pool = await open_pool(prepared.urls["iot_ingest"], make_settings().database, "iot_ingest")
    rows, partitions = make_rows(10), Partitions()
    await partitions.ensure(pool, rows.measured_us, rows.sensor_type)
    await timeseries.write(pool, rows.take(np.arange(6)), partitions.table)
    at, _ = await timeseries.find_stored(pool, rows, np.arange(10))
    assert sorted(at.tolist()) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(asyncpg.UniqueViolationError):
        await timeseries.write(pool, rows, partitions.table)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.fetch("select * from iot.readings")
    await pool.close()
    changed = await owner.execute("update iot.sensor_data set data_quality = 4")
    assert changed == "UPDATE 6"
    await owner.close()


@pytest.mark.parametrize(
    ("role", "visible", "seen"),
    [("iot_api", OWN, 6), ("iot_api", OTHER, 0), ("iot_api", "", 0), ("iot_worker", "", 6)],
)
async def test_tenants_are_kept_apart(
    stubbed: tuple[PreparedDatabase, asyncpg.Connection],
    make_settings: MakeSettings,
    make_rows: MakeRows,
    role: str,
    visible: Any,
    seen: int,
) -> None:
    prepared, owner = stubbed
    await timeseries.write(owner, make_rows(6), "readings")
    await owner.close()
    conn = await asyncpg.connect(prepared.urls[role])
    for name in ("app.organization_ids", "app.organization_id"):
        await conn.execute("select set_config($1, $2, false)", name, str(visible))
    assert await conn.fetchval("select count(*) from iot.sensor_data") == seen
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.fetch("select * from iot.readings")
    await conn.close()
