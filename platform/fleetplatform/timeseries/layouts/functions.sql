-- Making sensor_data in a layout. A layout is a few facts, written down in storage_layout, so that
-- none needs functions of its own.

create or replace function iot_private.make_index(index_name text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    case index_name
        when 'time_brin' then
            create index idx_sensor_data_time_brin on iot.sensor_data
                using brin (measurement_timestamp, received_at) with (autosummarize = on);
        when 'time_bucket' then
            create index idx_sensor_data_time_bucket on iot.sensor_data (hour_bucket, sensor_id);
        when 'device_time' then
            create index idx_sensor_data_device_time on iot.sensor_data
                (device_id, measurement_timestamp desc);
        when 'metadata_gin' then
            create index idx_sensor_data_metadata on iot.sensor_data
                using gin (measurement_metadata);
    end case;
end
$$;
comment on function iot_private.make_index(text) is 'One of the indexes beside the unique key.';

create or replace function iot_private.comment_on_readings() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    column_name text;
    description text;
begin
    comment on table iot.sensor_data is
        'Readings. (sensor_id, measurement_timestamp) identifies one. No foreign keys:'
        ' they would cost two thirds of the speed; a query proves that there are no orphans.';
    for column_name, description in
        select * from (values
            ('measurement_timestamp', 'When the device measured it (virtual time).'),
            ('received_at', 'When the platform took it (virtual time); one for a micro-batch.'),
            ('measurement_value', 'Calibrated value; null where value_encrypted holds it.'),
            ('raw_value', 'As it arrived; null: measurement_value is what arrived.'),
            ('sensor_id', 'The sensor.'),
            ('device_id', 'The device of that sensor.'),
            ('organization_id', 'Whose reading it is.'),
            ('anomaly_score', 'Distance from the baseline in standard deviations, 5 at most;'
                || ' null without one.'),
            ('sensor_type', 'Code of the catalogue of sensor types.'),
            ('data_quality', 'Bits: 0 valid, 1 range, 2 rate, 4 flat, 8 gap, 16 late,'
                || ' 32 clock_skew, 64 uncalibrated, 128 stale.'),
            ('is_anomaly', 'Whether the detector calls it one.'),
            ('measurement_metadata', 'What the device said beside it; null when nothing.'),
            ('value_encrypted', 'Value of a sensitive sensor; both values are then null.'),
            ('data_id', 'Identity in the source document (UUIDv7).'),
            ('hour_bucket', 'The hour of measurement_timestamp.')
        ) as described (name, text)
        join pg_attribute as a on a.attname = described.name
        where a.attrelid = 'iot.sensor_data'::regclass
    loop
        execute format(
            'comment on column iot.sensor_data.%I is %L', column_name, description
        );
    end loop;
end
$$;
comment on function iot_private.comment_on_readings() is
    'What each column of sensor_data means, in any layout.';

create or replace function iot_private.make_storage(
    kind text, range_unit text, split_by_type boolean, of_document boolean, indexes text[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    index_name text;
begin
    -- Wide columns first: then no byte is lost to alignment.
    execute format(
        $table$
        create table iot.sensor_data (
            measurement_timestamp timestamptz not null,
            received_at timestamptz not null,
            measurement_value double precision,
            raw_value double precision,
            sensor_id uuid not null,
            device_id uuid not null,
            organization_id uuid not null,
            anomaly_score real,
            sensor_type smallint not null,
            data_quality smallint not null,
            is_anomaly boolean not null,
            measurement_metadata jsonb,
            value_encrypted bytea
        ) %s
        $table$,
        case when range_unit is null then '' else 'partition by range (measurement_timestamp)' end
    );
    if of_document then
        alter table iot.sensor_data add column data_id uuid not null default uuidv7();
        alter table iot.sensor_data add primary key (data_id, measurement_timestamp);
    end if;
    if of_document or 'time_bucket' = any (indexes) then
        -- Stored, for a virtual column cannot be indexed; date_bin, for date_trunc is not immutable.
        alter table iot.sensor_data add column hour_bucket timestamptz generated always as (
            date_bin('1 hour', measurement_timestamp, '2000-01-01T00:00:00Z')
        ) stored;
    end if;
    -- A unique key of the whole table would have to hold sensor_type where that splits partitions.
    -- There each partition has its own, without it: 20 % smaller, and the same in meaning.
    if not split_by_type then
        alter table iot.sensor_data add constraint sensor_data_identity
            unique (sensor_id, measurement_timestamp);
    end if;
    foreach index_name in array indexes loop
        perform iot_private.make_index(index_name);
    end loop;
    perform iot_private.comment_on_readings();
    perform iot_private.protect_readings();
    grant insert on iot.sensor_data to iot_ingest;
    grant select on iot.sensor_data to iot_worker, iot_api;
    insert into iot.storage_layout (kind, range_unit, split_by_type, indexes)
    values (kind, range_unit, split_by_type, indexes);
    if range_unit is not null then
        perform iot_private.attach(
            'iot.sensor_data', 'sensor_data_default', 'default', null, false,
            case when split_by_type then 'sensor_id, measurement_timestamp, sensor_type' end
        );
    end if;
end
$$;
comment on function iot_private.make_storage(text, text, boolean, boolean, text[]) is
    'Make sensor_data in a layout, with its indexes, grants, policies and default partition.';

create or replace function iot_private.drop_storage() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regclass('iot.readings') is not null then
        drop view iot.sensor_data;
        drop table iot.readings cascade;
    end if;
    drop table if exists iot.sensor_data;
    delete from iot.storage_layout;
end
$$;
comment on function iot_private.drop_storage() is 'Forget a layout that holds nothing.';

create or replace function iot_private.do_as_written(statement text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute statement;
end
$$;
comment on function iot_private.do_as_written(text) is
    'A statement that only the extension TimescaleDB understands; tests without it note it down.';

create or replace function iot_private.make_hypertable(extension_schema text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    policy text;
    columns text;
begin
    -- The extension refuses compression and continuous aggregates on a table with row level
    -- security. So the table has none, and no rights but that of ingest to add to it; everybody
    -- reads a view, in which the policy's own words stand.
    select pg_get_expr(polqual, polrelid) into strict policy
    from pg_policy where polrelid = 'iot.sensor_data'::regclass and polname = 'tenant';
    select string_agg(quote_ident(attname), ', ' order by attnum) into columns
    from pg_attribute
    where attrelid = 'iot.sensor_data'::regclass and attnum > 0 and not attisdropped;
    drop policy tenant on iot.sensor_data;
    drop policy every_tenant on iot.sensor_data;
    alter table iot.sensor_data disable row level security, no force row level security;
    revoke select on iot.sensor_data from iot_worker, iot_api;
    alter table iot.sensor_data rename to readings;
    execute format(
        'create view iot.sensor_data with (security_barrier) as select %s from iot.readings as'
        ' sensor_data where case when current_user = ''iot_api'' then %s else true end',
        columns, policy
    );
    comment on view iot.sensor_data is
        'Readings, as whoever asks may see them. (sensor_id, measurement_timestamp) identifies one.';
    grant select on iot.sensor_data to iot_worker, iot_api;
    grant insert on iot.sensor_data to iot_ingest;
    execute format(
        'select %1$I.create_hypertable(''iot.readings''::regclass,'
        ' %1$I.by_range(''measurement_timestamp'', interval ''1 day''),'
        ' create_default_indexes => false)',
        extension_schema
    );
    perform iot_private.do_as_written(
        'alter table iot.readings set (timescaledb.compress,'
        ' timescaledb.compress_segmentby = ''sensor_id'','
        ' timescaledb.compress_orderby = ''measurement_timestamp desc'')'
    );
    perform iot_private.do_as_written(format(
        'create materialized view iot_private.hourly_readings'
        ' with (timescaledb.continuous, timescaledb.materialized_only = false) as'
        ' select organization_id, sensor_id,'
        ' %I.time_bucket(interval ''1 hour'', measurement_timestamp) as hour_start,'
        ' count(*) as reading_count, avg(measurement_value) as mean,'
        ' min(measurement_value) as least, max(measurement_value) as greatest,'
        ' stddev_samp(measurement_value) as deviation'
        ' from iot.readings where value_encrypted is null group by 1, 2, 3 with no data',
        extension_schema
    ));
end
$$;
comment on function iot_private.make_hypertable(text) is
    'Have the empty table cut by TimescaleDB, compressed by sensor, with an aggregate by hour.';

create or replace function iot_private.keep_chunks(
    extension_schema text, compress_before timestamptz, drop_before timestamptz
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Not by the extension's policies: those go by the wall clock, readings by virtual time.
    execute format(
        'select %1$I.compress_chunk(chunk, if_not_compressed => true)'
        ' from %1$I.show_chunks(''iot.readings''::regclass, older_than => $1) as chunk',
        extension_schema
    ) using compress_before;
    if drop_before is not null then
        execute format(
            'select %I.drop_chunks(''iot.readings''::regclass, older_than => $1)', extension_schema
        ) using drop_before;
    end if;
end
$$;
comment on function iot_private.keep_chunks(text, timestamptz, timestamptz) is
    'Compress the chunks that end before a time, and drop those before another (null: none).';

create or replace function iot.keep_chunks(
    compress_before timestamptz, drop_before timestamptz default null
) returns void
language sql security definer
set search_path = pg_catalog, pg_temp
as $$
    select iot_private.keep_chunks(n.nspname, compress_before, drop_before)
    from pg_extension as e
    join pg_namespace as n on n.oid = e.extnamespace
    where e.extname = 'timescaledb'
$$;
comment on function iot.keep_chunks(timestamptz, timestamptz) is
    'The same, where the extension is; elsewhere nothing.';
grant execute on function iot.keep_chunks(timestamptz, timestamptz) to iot_worker;
