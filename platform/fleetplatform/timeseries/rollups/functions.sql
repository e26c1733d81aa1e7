-- How closed hours are kept, in either way.

create or replace function iot_private.aggregate_hours()
returns table (
    organization_id uuid, sensor_id uuid, device_id uuid, hour_start timestamptz,
    reading_count bigint, mean_value double precision, min_value double precision,
    max_value double precision, sum_squared_deviations double precision, valid_count bigint,
    anomaly_count bigint
)
language sql stable
-- A value whose square, summed, no float could hold is left out, as in make_hour.
as $$
    select
        s.organization_id, s.sensor_id, s.device_id, r.hour_start, r.reading_count, r.mean_value,
        r.min_value, r.max_value, r.sum_squared_deviations, r.valid_count, r.anomaly_count
    from (
        select
            d.organization_id,
            d.sensor_id,
            date_bin('1 hour', d.measurement_timestamp, '2000-01-01T00:00:00Z') as hour_start,
            count(*) as reading_count,
            avg(d.measurement_value) as mean_value,
            min(d.measurement_value) as min_value,
            max(d.measurement_value) as max_value,
            var_pop(d.measurement_value) * count(*) as sum_squared_deviations,
            count(*) filter (where d.data_quality = 0) as valid_count,
            count(*) filter (where d.is_anomaly) as anomaly_count
        from iot.sensor_data as d
        where d.measurement_timestamp < (select p.hours_through from iot.rollup_progress as p)
          and abs(d.measurement_value) < 1e100
        group by 1, 2, 3
    ) as r
    join iot.sensors as s on s.organization_id = r.organization_id and s.sensor_id = r.sensor_id
$$;
comment on function iot_private.aggregate_hours() is
    'All hours that are over (rollup_progress.hours_through), from the readings that are there.';

create or replace function iot_private.show_incremental() returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    create or replace view iot.sensor_hours with (security_invoker = true) as
    select
        organization_id, sensor_id, device_id, hour_start, reading_count, mean_value, min_value,
        max_value, sum_squared_deviations, valid_count, anomaly_count
    from iot.sensor_hourly_aggregates;
$$;
comment on function iot_private.show_incremental() is 'sensor_hours reads the worker''s table.';

create or replace function iot_private.show_materialized_view() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A materialised view has no row security, so whoever asks sees what they see of its sensors:
    -- the barrier keeps conditions that could tell more from being asked first.
    create or replace view iot.sensor_hours
        with (security_invoker = true, security_barrier = true) as
    select
        h.organization_id, h.sensor_id, h.device_id, h.hour_start, h.reading_count, h.mean_value,
        h.min_value, h.max_value, h.sum_squared_deviations, h.valid_count, h.anomaly_count
    from iot_private.materialized_hours as h
    join iot.sensors as s using (organization_id, sensor_id);
end
$$;
comment on function iot_private.show_materialized_view() is
    'sensor_hours reads the materialised view, which is empty until the worker refreshes it.';

create or replace function iot_private.choose_rollups(wanted text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if (select c.kind = wanted from iot.rollup_choice as c) then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('iot.rollup_hours'));
    update iot.rollup_choice set kind = wanted;
    -- As where nothing was looked at yet: all hours whose readings are there are made anew.
    delete from iot.rollup_progress;
    insert into iot.rollup_progress (received_through, hours_through, virtual_anchor, wall_anchor)
    select '-infinity', '-infinity', virtual_anchor, wall_anchor from iot.platform_clock;
    -- No hour is over since then, so it is empty.
    refresh materialized view iot_private.materialized_hours;
    execute format('select iot_private.%I()', 'show_' || wanted);
end
$$;
comment on function iot_private.choose_rollups(text) is
    'Keep closed hours in this way from now on; the worker makes them anew.';

create or replace function iot.refresh_materialized_hours(now_time timestamptz) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update iot.rollup_progress set hours_through = date_trunc('hour', now_time, 'UTC');
    refresh materialized view concurrently iot_private.materialized_hours;
    -- Whatever was calibrated again since is in the next refresh, which is one of everything.
    delete from iot.rollup_hours;
end
$$;
comment on function iot.refresh_materialized_hours(timestamptz) is
    'Make the materialised view of closed hours anew, beside its readers.';
grant execute on function iot.refresh_materialized_hours(timestamptz) to iot_worker;

create or replace function iot.raise_rollup_floor(
    owner uuid, type_code smallint, some_sensors uuid[], before timestamptz
) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    settled timestamptz;
begin
    -- Nobody makes hours anew, or notes what was calibrated, until the caller's transaction ends.
    perform pg_advisory_xact_lock(hashtext('iot.rollup_hours'));
    if (select c.kind = 'incremental' from iot.rollup_choice as c) then
        select p.hours_through into settled from iot.rollup_progress as p;
        if settled < before or exists (
            select
            from iot.rollup_hours as h
            join iot.sensors as s using (organization_id, sensor_id)
            where h.hour_start < before
              and (owner is null or h.organization_id = owner)
              and (type_code is null or s.sensor_type = type_code)
              and (some_sensors is null or h.sensor_id = any (some_sensors))
        ) then
            return false;
        end if;
    end if;
    insert into iot.rollup_floors (organization_id, sensor_id, kept_from)
    select s.organization_id, s.sensor_id, before
    from iot.sensors as s
    where (owner is null or s.organization_id = owner)
      and (type_code is null or s.sensor_type = type_code)
      and (some_sensors is null or s.sensor_id = any (some_sensors))
    on conflict (organization_id, sensor_id) do update set kept_from = excluded.kept_from
    where rollup_floors.kept_from < excluded.kept_from;
    return true;
end
$$;
comment on function iot.raise_rollup_floor(uuid, smallint, uuid[], timestamptz) is
    'Called before readings measured before a time are taken away, in that transaction: their hours'
    ' are not made anew from what is left. Of an organization, a type, some sensors (null: any).'
    ' False: some of these hours were not made yet; wait for the worker, and ask again. Where no'
    ' worker ever made an hour there is nothing to wait for.';
grant execute on function iot.raise_rollup_floor(uuid, smallint, uuid[], timestamptz)
    to iot_worker;
