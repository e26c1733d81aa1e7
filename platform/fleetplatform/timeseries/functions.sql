-- What is done with sensor_data's storage. The functions read storage_layout, so that one serves
-- every layout.

create or replace function iot_private.attach(
    parent regclass, name text, bounds text, predicate text, is_split boolean, identity text
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    fallback regclass;
    columns text;
    strayed boolean;
    type_code smallint;
    moved bigint;
begin
    -- Locks first: an attempt that fails for want of one leaves nothing behind in the catalogues.
    select nullif(partdefid, 0) into fallback from pg_partitioned_table where partrelid = parent;
    if fallback is not null then
        execute format('select exists (select from %s where %s)', fallback, predicate) into strayed;
        if strayed then
            -- A query that has read the list of partitions and then waits for the default one would
            -- see it emptied, and not the new one: so it has to wait before it reads the list.
            execute format('lock table only %s in access exclusive mode', parent);
        end if;
        execute format('lock table %s in access exclusive mode', fallback);
    end if;
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
    if is_split and strayed then
        -- So that readings are moved but once, to where they belong.
        for type_code in execute
            format('select distinct sensor_type from %s where %s', fallback, predicate)
        loop
            perform iot_private.attach_type(name, type_code);
        end loop;
    end if;
    if fallback is not null then
        select string_agg(quote_ident(attname), ', ') into columns
        from pg_attribute
        where attrelid = fallback and attnum > 0 and not attisdropped and attgenerated = '';
        execute format(
            'with moved as (delete from %1$s where %2$s returning %3$s)'
            ' insert into iot.%4$I (%3$s) select %3$s from moved',
            fallback, predicate, columns, name
        );
        get diagnostics moved = row_count;
        if moved > 0 and not strayed then
            raise lock_not_available using message = 'readings strayed a moment ago: try again';
        end if;
    end if;
    execute format('alter table %s attach partition iot.%I %s', parent, name, bounds);
end
$$;
comment on function iot_private.attach(regclass, text, text, text, boolean, text) is
    'Make a partition and move into it what lies in the default partition. identity: columns of'
    ' its unique key, where it does not come with the parent.';

create or replace function iot_private.attach_type(span text, type_code smallint) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select iot_private.attach(
        format('iot.%I', span)::regclass, span || '_type_' || type_code,
        format('for values in (%s)', type_code), format('sensor_type = %s', type_code), false,
        'sensor_id, measurement_timestamp'
    )
$$;
comment on function iot_private.attach_type(text, smallint) is
    'Make the partition of a type in that of a span.';

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
        perform iot_private.attach_type(name, type_code);
    end if;
end
$$;
comment on function iot_private.make_partition(
    text, timestamptz, timestamptz, smallint, boolean
) is 'The partition of a span and, where spans are split, of a type in it.';

create or replace function iot.ensure_partition(
    measured timestamptz, type_code smallint, attempts integer default 5
) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
set lock_timeout = '300ms'
as $$
declare
    layout iot.storage_layout;
    lower_bound timestamptz;
    name text;
    there regclass;
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
    there := to_regclass(format('iot.%I', name || case
        when layout.split_by_type and type_code is not null then '_type_' || type_code else ''
    end));
    if there is not null then
        -- A table of that name that was detached holds no new readings.
        return (select relispartition from pg_class where oid = there);
    end if;
    for attempt in 1..attempts loop
        begin
            -- Whoever reads and writes meanwhile is held up no longer than this; if somebody holds
            -- on to the table for long, that shows at once.
            perform set_config(
                'lock_timeout', case attempt when 1 then '20ms' else '300ms' end, true
            );
            perform iot_private.make_partition(
                name, lower_bound, lower_bound + ('1 ' || layout.range_unit)::interval, type_code,
                layout.split_by_type
            );
            return true;
        exception when lock_not_available or deadlock_detected or check_violation then
            if attempt < attempts then
                perform pg_sleep(random() * 0.05 * attempt);
            end if;
        end;
    end loop;
    return false;
end
$$;
comment on function iot.ensure_partition(timestamptz, smallint, integer) is
    'Make the partition of such readings unless it is there; false leaves them to the default'
    ' partition: out of all bounds, or somebody kept the table locked. A null type: of the span.'
    ' attempts: the first waits 20 ms for each lock, the others 300 ms.';
grant execute on function iot.ensure_partition(timestamptz, smallint, integer)
    to iot_ingest, iot_worker;

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
          and pg_relation_size(c.oid) > 0
    loop
        return query execute format(
            -- What no partition can hold is told as one span before or after all others.
            'select case when measurement_timestamp < ''1970-01-01'' then ''-infinity'''
            ' when measurement_timestamp >= ''2200-01-01'' then ''infinity'''
            ' else date_trunc(%L, measurement_timestamp) end, sensor_type, count(*)'
            ' from %s group by 1, 2',
            unit, fallback
        );
    end loop;
end
$$;
comment on function iot.stray_readings() is
    'What lies in default partitions, by span and type: nothing, but for times that no partition'
    ' may have (-infinity, infinity).';
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
