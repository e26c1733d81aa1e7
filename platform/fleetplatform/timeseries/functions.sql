-- Everything about sensor_data's storage. The functions read storage_layout, so that each layout is
-- a few facts and no layout needs a function of its own.

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

create or replace function iot_private.attach(
    parent regclass, name text, bounds text, predicate text, is_split boolean, identity text
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    fallback regclass;
    columns text;
begin
    -- LIKE and ATTACH, for CREATE TABLE … PARTITION OF would lock the parent against everybody. The
    -- new table is empty but for what is moved, so ATTACH needs no CHECK to spare it a long scan.
    execute format(
        'create table iot.%I (like iot.sensor_data including all) %s',
        name, case when is_split then 'partition by list (sensor_type)' else '' end
    );
    execute format(
        'alter table iot.%I enable row level security, force row level security', name
    );
    execute format('comment on table iot.%I is %L', name, 'Part of sensor_data: ' || bounds);
    if identity is not null then
        execute format(
            'alter table iot.%I add constraint %I unique (%s)', name, name || '_identity', identity
        );
    end if;
    if is_split then
        perform iot_private.attach(
            format('iot.%I', name)::regclass, name || '_default', 'default', null, false,
            'sensor_id, measurement_timestamp, sensor_type'
        );
    end if;
    select nullif(partdefid, 0) into fallback from pg_partitioned_table where partrelid = parent;
    if fallback is not null then
        select string_agg(quote_ident(attname), ', ') into columns
        from pg_attribute
        where attrelid = fallback and attnum > 0 and not attisdropped and attgenerated = '';
        execute format('lock table %s in access exclusive mode', fallback);
        execute format(
            'with moved as (delete from %1$s where %2$s returning %3$s)'
            ' insert into iot.%4$I (%3$s) select %3$s from moved',
            fallback, predicate, columns, name
        );
    end if;
    execute format('alter table %s attach partition iot.%I %s', parent, name, bounds);
end
$$;
comment on function iot_private.attach(regclass, text, text, text, boolean, text) is
    'Make a partition and move into it what lies in the default partition. identity: columns of'
    ' its unique key, where it does not come with the parent.';

create or replace function iot_private.make_partition(
    name text, lower_bound timestamptz, upper_bound timestamptz, type_code smallint,
    is_split boolean
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One at a time; readers and writers go on. Taking it also shows what others have just made.
    lock table iot.sensor_data in share update exclusive mode;
    if to_regclass(format('iot.%I', name)) is null then
        perform iot_private.attach(
            'iot.sensor_data', name,
            format('for values from (%L) to (%L)', lower_bound, upper_bound),
            format(
                'measurement_timestamp >= %L and measurement_timestamp < %L',
                lower_bound, upper_bound
            ),
            is_split, null
        );
    end if;
    if is_split and type_code is not null
        and to_regclass(format('iot.%I', name || '_type_' || type_code)) is null
    then
        perform iot_private.attach(
            format('iot.%I', name)::regclass, name || '_type_' || type_code,
            format('for values in (%s)', type_code), format('sensor_type = %s', type_code), false,
            'sensor_id, measurement_timestamp'
        );
    end if;
end
$$;
comment on function iot_private.make_partition(
    text, timestamptz, timestamptz, smallint, boolean
) is 'The partition of a span and, where spans are split, of a type in it.';

create or replace function iot.ensure_partition(measured timestamptz, type_code smallint)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
-- Whoever reads meanwhile is held up no longer than this.
set lock_timeout = '300ms'
as $$
declare
    layout iot.storage_layout;
    lower_bound timestamptz;
    name text;
begin
    select * into strict layout from iot.storage_layout;
    if layout.range_unit is null then
        return true;
    end if;
    if measured < '1970-01-01' or measured >= '2200-01-01' then
        return false;
    end if;
    lower_bound := date_trunc(layout.range_unit, measured);
    name := 'sensor_data_' || to_char(
        lower_bound, case layout.range_unit when 'month' then 'YYYY_MM' else 'YYYY_MM_DD' end
    );
    if to_regclass(format('iot.%I', name || case
        when layout.split_by_type and type_code is not null then '_type_' || type_code else ''
    end)) is not null then
        return true;
    end if;
    for attempt in 1..5 loop
        begin
            perform iot_private.make_partition(
                name, lower_bound, lower_bound + ('1 ' || layout.range_unit)::interval, type_code,
                layout.split_by_type
            );
            return true;
        exception when lock_not_available or deadlock_detected or check_violation then
            perform pg_sleep(random() * 0.05 * attempt);
        end;
    end loop;
    return false;
end
$$;
comment on function iot.ensure_partition(timestamptz, smallint) is
    'Make the partition of such readings unless it is there; false leaves them to the default'
    ' partition: out of all bounds, or somebody kept the table locked. A null type: of the span.';
grant execute on function iot.ensure_partition(timestamptz, smallint) to iot_ingest, iot_worker;

create or replace function iot.stray_readings()
returns table (measured_from timestamptz, sensor_type smallint, reading_count bigint)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
    unit text;
    fallback regclass;
begin
    select l.range_unit into unit from iot.storage_layout as l;
    for fallback in
        select c.oid::regclass
        from pg_partition_tree('iot.sensor_data') as t
        join pg_class as c on c.oid = t.relid
        where t.isleaf and c.relispartition and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'
    loop
        return query execute format(
            'select date_trunc(%L, measurement_timestamp), sensor_type, count(*)'
            ' from %s group by 1, 2',
            unit, fallback
        );
    end loop;
end
$$;
comment on function iot.stray_readings() is
    'What lies in default partitions, by span and type; there should be nothing.';
grant execute on function iot.stray_readings() to iot_worker;

create or replace function iot.find_stored(
    high bigint[], low bigint[], measured_us bigint[], sensor_types smallint[]
) returns table (at integer, stored_value double precision)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- With the LATERAL and its LIMIT: each by the unique key, whatever the statistics of a table that
-- fills up may say. Joined the other way round, a batch would cost its square.
set enable_seqscan = off
as $$
declare
    epoch constant timestamptz := '1970-01-01T00:00:00Z';
    earliest timestamptz;
    latest timestamptz;
begin
    select epoch + min(us) * interval '1 microsecond', epoch + max(us) * interval '1 microsecond'
    into earliest, latest
    from unnest(measured_us) as us;
    return query
    select (asked.place - 1)::integer, found.stored_value
    from (
        select
            (lpad(to_hex(g.high), 16, '0') || lpad(to_hex(g.low), 16, '0'))::uuid as sensor_id,
            epoch + g.us * interval '1 microsecond' as measured,
            g.type_code,
            g.place
        from unnest(high, low, measured_us, sensor_types) with ordinality
            as g (high, low, us, type_code, place)
    ) as asked
    cross join lateral (
        select coalesce(d.raw_value, d.measurement_value) as stored_value
        from iot.sensor_data as d
        where d.sensor_id = asked.sensor_id
          and d.measurement_timestamp = asked.measured
          and d.sensor_type = asked.type_code
          -- Known before the first look-up: leaves out the partitions that cannot matter.
          and d.measurement_timestamp between earliest and latest
        limit 1
    ) as found;
end
$$;
comment on function iot.find_stored(bigint[], bigint[], bigint[], smallint[]) is
    'Which of these readings are stored, by place from 0, and the value each came with.';
grant execute on function iot.find_stored(bigint[], bigint[], bigint[], smallint[]) to iot_ingest;

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

create or replace function iot.store_reading(
    sensor iot.sensors, measured_at timestamptz, received timestamptz, calibrated double precision,
    sent double precision, quality smallint, anomaly boolean, score double precision,
    metadata jsonb, key_id text, key bytea
) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    insert into iot.sensor_data (
        sensor_id, device_id, organization_id, sensor_type, measurement_timestamp, received_at,
        data_quality, is_anomaly, anomaly_score, measurement_value, raw_value,
        measurement_metadata, value_encrypted
    )
    select
        (sensor).sensor_id, (sensor).device_id, (sensor).organization_id, (sensor).sensor_type,
        measured_at, received, quality, anomaly, score, plain.*,
        case when (sensor).sensitive then iot_private.seal_value(
            calibrated, coalesce(sent, calibrated), metadata, (sensor).sensor_id, measured_at,
            key_id, key
        ) end
    from (
        select
            case when not (sensor).sensitive then calibrated end,
            case when not (sensor).sensitive then sent end,
            case when not (sensor).sensitive then metadata end
    ) as plain
$$;
comment on function iot.store_reading(
    iot.sensors, timestamptz, timestamptz, double precision, double precision, smallint, boolean,
    double precision, jsonb, text, bytea
) is 'One row of sensor_data, encrypted with the key if the sensor is sensitive, for the engine that'
    ' stores readings one by one.';
