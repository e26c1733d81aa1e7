create or replace function iot.ensure_processed_month(measured timestamptz)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
-- Whoever reads meanwhile is held up no longer than this.
set lock_timeout = '300ms'
as $$
declare
    lower_bound timestamptz;
    upper_bound timestamptz;
    name text;
begin
    if measured < '1970-01-01' or measured >= '2200-01-01' then
        return false;
    end if;
    lower_bound := date_trunc('month', measured);
    upper_bound := lower_bound + interval '1 month';
    name := 'processed_data_' || to_char(lower_bound, 'YYYY_MM');
    for attempt in 1..5 loop
        begin
            if to_regclass(format('iot.%I', name)) is not null then
                return true;
            end if;
            lock table iot.processed_data in share update exclusive mode;
            if to_regclass(format('iot.%I', name)) is not null then
                return true;
            end if;
            execute format('create table iot.%I (like iot.processed_data including all)', name);
            execute format(
                'alter table iot.%I enable row level security, force row level security', name
            );
            execute format(
                'comment on table iot.%I is %L', name, 'Part of processed_data: one month.'
            );
            lock table iot.processed_data_default in access exclusive mode;
            execute format(
                'with moved as (delete from iot.processed_data_default'
                ' where measurement_timestamp >= %L and measurement_timestamp < %L returning *)'
                ' insert into iot.%I select * from moved',
                lower_bound, upper_bound, name
            );
            execute format(
                'alter table iot.processed_data attach partition iot.%I'
                ' for values from (%L) to (%L)', name, lower_bound, upper_bound
            );
            return true;
        exception when lock_not_available or deadlock_detected or check_violation then
            perform pg_sleep(random() * 0.05 * attempt);
        end;
    end loop;
    return false;
end
$$;
comment on function iot.ensure_processed_month(timestamptz) is
    'Make the month of processed_data unless it is there, and move into it what strayed; false'
    ' leaves its values to the default partition: out of all bounds, or somebody kept it locked.';
grant execute on function iot.ensure_processed_month(timestamptz) to iot_ingest;

create or replace function iot.recent_readings(
    sensors uuid[], since timestamptz, look_back interval, depth integer,
    out sensor_at bytea, out times bytea, out made_values bytea
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        coalesce(string_agg(int4send(r.place), ''), ''),
        coalesce(string_agg(timestamptz_send(r.measured), ''), ''),
        coalesce(string_agg(float8send(r.value), ''), '')
    from (
        select s.place::integer - 1 as place, d.measured, d.value
        from unnest(sensors) with ordinality as s (sensor_id, place)
        join iot.sensors as o using (sensor_id)
        cross join lateral (
            select n.measurement_timestamp as measured
            from iot.sensor_data as n
            where n.sensor_id = s.sensor_id
              and n.sensor_type = o.sensor_type
              and n.measurement_timestamp >= since
              -- A late reading moves nothing.
              and n.data_quality & 16 = 0
            order by n.measurement_timestamp desc
            limit 1
        ) as newest
        cross join lateral (
            select d.measurement_timestamp as measured, d.measurement_value as value
            from iot.sensor_data as d
            where d.sensor_id = s.sensor_id
              and d.sensor_type = o.sensor_type
              and d.measurement_timestamp >= since - look_back
              and d.measurement_timestamp >= newest.measured - look_back
              and d.data_quality & 16 = 0
              and d.measurement_value is not null
            order by d.measurement_timestamp desc
            limit depth
        ) as d
        order by s.place, d.measured
    ) as r
$$;
comment on function iot.recent_readings(uuid[], timestamptz, interval, integer) is
    'The last readings of each sensor that came in time, and were measured so long before its newest'
    ' at most: in order of place from 0 and of time.';
grant execute on function iot.recent_readings(uuid[], timestamptz, interval, integer) to iot_ingest;

create or replace function iot.recent_values(
    sensors uuid[], rule uuid, since timestamptz, look_back interval, depth integer,
    out sensor_at bytea, out times bytea, out made_values bytea
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        coalesce(string_agg(int4send(r.place), ''), ''),
        coalesce(string_agg(timestamptz_send(r.measured), ''), ''),
        coalesce(string_agg(float8send(r.value), ''), '')
    from (
        select s.place::integer - 1 as place, d.measured, d.value
        from unnest(sensors) with ordinality as s (sensor_id, place)
        join iot.sensors as o using (sensor_id)
        cross join lateral (
            select n.measurement_timestamp as measured
            from iot.processed_data as n
            where n.organization_id = o.organization_id
              and n.sensor_id = s.sensor_id
              and n.measurement_timestamp >= since
              and n.processing_rule_id = rule
              and n.flag & 9 = 0
            order by n.measurement_timestamp desc
            limit 1
        ) as newest
        cross join lateral (
            select p.measurement_timestamp as measured, p.value
            from iot.processed_data as p
            where p.organization_id = o.organization_id
              and p.sensor_id = s.sensor_id
              and p.measurement_timestamp >= since - look_back
              and p.measurement_timestamp >= newest.measured - look_back
              and p.processing_rule_id = rule
              and p.flag & 9 = 0
            order by p.measurement_timestamp desc
            limit depth
        ) as d
        order by s.place, d.measured
    ) as r
$$;
comment on function iot.recent_values(uuid[], uuid, timestamptz, interval, integer) is
    'The last defined values of a rule made of readings that came in time, not longer before the'
    ' newest of each sensor: in order of place from 0 and of time.';
grant execute on function iot.recent_values(uuid[], uuid, timestamptz, interval, integer)
    to iot_ingest;

create or replace function iot.read_back(
    sensors uuid[], measured timestamptz[], sensor_types smallint[]
) returns table (at integer, measured_value double precision, quality smallint)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select (asked.place - 1)::integer, d.measurement_value, d.data_quality
    from unnest(sensors, measured, sensor_types) with ordinality
        as asked (sensor_id, measured, type_code, place)
    cross join lateral (
        select measurement_value, data_quality
        from iot.sensor_data
        where sensor_id = asked.sensor_id
          and measurement_timestamp = asked.measured
          and sensor_type = asked.type_code
        limit 1
    ) as d
$$;
comment on function iot.read_back(uuid[], timestamptz[], smallint[]) is
    'Value and quality of stored readings, by place from 0, for the engine that judges them in SQL.';
grant execute on function iot.read_back(uuid[], timestamptz[], smallint[]) to iot_ingest;
