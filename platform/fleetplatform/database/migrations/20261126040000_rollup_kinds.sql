-- migrate:up

create table iot.rollup_choice (
    only_row boolean primary key default true check (only_row),
    kind text not null
);
comment on table iot.rollup_choice is 'In which way closed hours are kept.';
comment on column iot.rollup_choice.only_row is 'True; the table has one row.';
comment on column iot.rollup_choice.kind is 'The kind''s name, as in platform.rollups.kind.';
insert into iot.rollup_choice (kind) values ('incremental');
grant select on iot.rollup_choice to iot_worker;

create table iot.rollup_floors (
    organization_id uuid not null,
    sensor_id uuid not null,
    kept_from timestamptz not null check (isfinite(kept_from)),
    primary key (organization_id, sensor_id),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.rollup_floors is
    'From when on a sensor''s readings are all there; no row: from the first. Hours that begin before'
    ' are never made anew: their aggregates outlive their readings.';
comment on column iot.rollup_floors.organization_id is 'Whose sensor it is.';
comment on column iot.rollup_floors.sensor_id is 'The sensor.';
comment on column iot.rollup_floors.kept_from is
    'Readings measured before may be gone; it never moves back.';
select iot_private.protect('iot.rollup_floors');
grant select on iot.rollup_floors to iot_worker;
grant delete on iot.sensor_hourly_aggregates to iot_worker;

-- Its body is in timeseries/rollups/functions.sql, for readings have no table yet: with this one the
-- materialised view is empty, and can be read.
create function iot_private.aggregate_hours()
returns table (
    organization_id uuid, sensor_id uuid, device_id uuid, hour_start timestamptz,
    reading_count bigint, mean_value double precision, min_value double precision,
    max_value double precision, sum_squared_deviations double precision, valid_count bigint,
    anomaly_count bigint
)
language sql stable
as $$
    select
        null::uuid, null::uuid, null::uuid, null::timestamptz, null::bigint,
        null::double precision, null::double precision, null::double precision,
        null::double precision, null::bigint, null::bigint
    where false
$$;

create materialized view iot_private.materialized_hours as
select * from iot_private.aggregate_hours();
comment on materialized view iot_private.materialized_hours is
    'Each sensor''s closed hours in few numbers, where platform.rollups.kind=materialized_view.';
comment on column iot_private.materialized_hours.organization_id is 'Whose sensor it is.';
comment on column iot_private.materialized_hours.sensor_id is 'The sensor.';
comment on column iot_private.materialized_hours.device_id is 'The device of that sensor.';
comment on column iot_private.materialized_hours.hour_start is
    'Start of the hour, measurement time, UTC.';
comment on column iot_private.materialized_hours.reading_count is 'Readings measured in the hour.';
comment on column iot_private.materialized_hours.mean_value is 'Their mean, calibrated.';
comment on column iot_private.materialized_hours.min_value is 'The least of them.';
comment on column iot_private.materialized_hours.max_value is 'The greatest of them.';
comment on column iot_private.materialized_hours.sum_squared_deviations is
    'Sum of squared deviations from that mean.';
comment on column iot_private.materialized_hours.valid_count is 'Readings of quality 0.';
comment on column iot_private.materialized_hours.anomaly_count is
    'Readings that the detector marked.';
create unique index idx_materialized_hours_key
    on iot_private.materialized_hours (organization_id, sensor_id, hour_start);
create index idx_materialized_hours_sensor
    on iot_private.materialized_hours (sensor_id, hour_start);
-- pg_stats shows to whoever may select, row by row security or not, what values there are.
do $$
declare
    one name;
begin
    for one in
        select attname from pg_attribute
        where attrelid = 'iot_private.materialized_hours'::regclass and attnum > 0
    loop
        execute format(
            'alter materialized view iot_private.materialized_hours alter column %I set statistics 0',
            one
        );
    end loop;
end
$$;
grant select on iot_private.materialized_hours to iot_worker, iot_api;

create view iot.sensor_hours with (security_invoker = true) as
select
    organization_id, sensor_id, device_id, hour_start, reading_count, mean_value, min_value,
    max_value, sum_squared_deviations, valid_count, anomaly_count
from iot.sensor_hourly_aggregates;
comment on view iot.sensor_hours is
    'Each sensor''s closed hours in few numbers, in whichever way they are kept.';
comment on column iot.sensor_hours.organization_id is 'Whose sensor it is.';
comment on column iot.sensor_hours.sensor_id is 'The sensor.';
comment on column iot.sensor_hours.device_id is 'The device of that sensor.';
comment on column iot.sensor_hours.hour_start is 'Start of the hour, measurement time, UTC.';
comment on column iot.sensor_hours.reading_count is 'Readings measured in the hour.';
comment on column iot.sensor_hours.mean_value is 'Their mean, calibrated.';
comment on column iot.sensor_hours.min_value is 'The least of them.';
comment on column iot.sensor_hours.max_value is 'The greatest of them.';
comment on column iot.sensor_hours.sum_squared_deviations is
    'Sum of squared deviations from that mean.';
comment on column iot.sensor_hours.valid_count is 'Readings of quality 0.';
comment on column iot.sensor_hours.anomaly_count is 'Readings that the detector marked.';
grant select on iot.sensor_hours to iot_worker, iot_api;

create or replace view iot.sensor_daily_aggregates with (security_invoker = true) as
select
    organization_id,
    sensor_id,
    device_id,
    day_start,
    sum(reading_count)::bigint as reading_count,
    min(day_mean) as mean_value,
    min(min_value) as min_value,
    max(max_value) as max_value,
    -- Within the hours, and of the hours' means around the day's.
    sum(sum_squared_deviations + reading_count * (mean_value - day_mean) ^ 2)
        as sum_squared_deviations,
    sum(valid_count)::bigint as valid_count,
    sum(anomaly_count)::bigint as anomaly_count
from (
    select
        h.*,
        date_trunc('day', h.hour_start, 'UTC') as day_start,
        sum(h.mean_value * h.reading_count) over day
            / sum(h.reading_count) over day as day_mean
    from iot.sensor_hours as h
    window day as (
        partition by h.organization_id, h.sensor_id, date_trunc('day', h.hour_start, 'UTC')
    )
) as d
group by organization_id, sensor_id, device_id, day_start;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
