-- migrate:up

comment on schema iot_private is 'Parts of the platform that no service may reach.';
comment on table iot_private.schema_migrations is 'Migrations that were applied; kept by dbmate.';
comment on column iot_private.schema_migrations.version is 'Time stamp of the migration''s name.';

create schema iot;
comment on schema iot is 'The platform: registry, readings, alerts.';
grant usage on schema iot to iot_ingest, iot_worker, iot_api;

-- Whoever makes a function says who may call it.
alter default privileges for role iot_owner revoke execute on functions from public;

create table iot_private.function_files (
    path text primary key,
    sha256 bytea not null check (octet_length(sha256) = 32),
    applied_at timestamptz not null default clock_timestamp()
);
comment on table iot_private.function_files is 'The functions.sql files as they were last applied.';
comment on column iot_private.function_files.path is 'Path of the file inside the package.';
comment on column iot_private.function_files.sha256 is 'SHA-256 of the file''s bytes.';
comment on column iot_private.function_files.applied_at is 'When it was applied (wall clock).';

create function iot_private.protect(tenant_table regclass) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'alter table %s enable row level security, force row level security', tenant_table
    );
    -- The sub-selects are evaluated once a statement; written plainly they cost each row.
    execute format(
        $policy$
        create policy tenant on %s to iot_api
        using (organization_id = any ((
            select string_to_array(nullif(current_setting('app.organization_ids', true), ''), ',')
        )::uuid[]))
        with check (organization_id = (
            select nullif(current_setting('app.organization_id', true), '')::uuid
        ))
        $policy$,
        tenant_table
    );
    execute format(
        'create policy every_tenant on %s to iot_worker using (true) with check (true)',
        tenant_table
    );
end
$$;
comment on function iot_private.protect(regclass) is
    'Row level security of a tenant table: people see the visible set and write their own'
    ' organization; the worker''s jobs see all.';

create table iot.platform_clock (
    only_row boolean primary key default true check (only_row),
    virtual_anchor timestamptz not null check (isfinite(virtual_anchor)),
    wall_anchor timestamptz not null check (isfinite(wall_anchor)),
    speed double precision not null check (speed >= 0 and speed < 'infinity'),
    controllable boolean not null
);
comment on table iot.platform_clock is
    'The law of virtual time: virtual_anchor + speed × (wall clock − wall_anchor).';
comment on column iot.platform_clock.only_row is 'True; the table has one row.';
comment on column iot.platform_clock.virtual_anchor is 'Virtual time at wall_anchor.';
comment on column iot.platform_clock.wall_anchor is 'Wall clock at which the law began.';
comment on column iot.platform_clock.speed is 'Virtual seconds in a second of the wall clock.';
comment on column iot.platform_clock.controllable is
    'Whether the law may be changed; fixed when the database is made.';
grant select on iot.platform_clock to iot_ingest, iot_worker, iot_api;
grant update (virtual_anchor, wall_anchor, speed) on iot.platform_clock to iot_api;

create table iot.storage_layout (
    only_row boolean primary key default true check (only_row),
    kind text not null,
    range_unit text check (range_unit in ('month', 'day')),
    split_by_type boolean not null check (not split_by_type or range_unit is not null),
    indexes text[] not null,
    created_at timestamptz not null default clock_timestamp()
);
comment on table iot.storage_layout is 'How sensor_data is stored.';
comment on column iot.storage_layout.only_row is 'True; the table has one row.';
comment on column iot.storage_layout.kind is 'The layout''s name.';
comment on column iot.storage_layout.range_unit is
    'Span of a partition, in UTC; null: not partitioned.';
comment on column iot.storage_layout.split_by_type is
    'Whether each span is split by sensor type.';
comment on column iot.storage_layout.indexes is 'Indexes beside the unique key.';
comment on column iot.storage_layout.created_at is 'When the storage was made (wall clock).';
grant select on iot.storage_layout to iot_ingest, iot_worker, iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
