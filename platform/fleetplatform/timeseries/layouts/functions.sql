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
    drop table if exists iot.sensor_data;
    delete from iot.storage_layout;
end
$$;
comment on function iot_private.drop_storage() is 'Forget a layout that holds nothing.';
