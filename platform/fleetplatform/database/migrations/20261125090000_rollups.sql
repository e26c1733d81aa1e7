-- migrate:up

create table iot.sensor_hourly_aggregates (
    organization_id uuid not null,
    sensor_id uuid not null,
    device_id uuid not null,
    hour_start timestamptz not null,
    reading_count bigint not null check (reading_count > 0),
    mean_value double precision not null,
    min_value double precision not null,
    max_value double precision not null,
    sum_squared_deviations double precision not null,
    valid_count bigint not null,
    anomaly_count bigint not null,
    primary key (organization_id, sensor_id, hour_start),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.sensor_hourly_aggregates is
    'Each sensor''s closed hours in few numbers, late readings included.';
comment on column iot.sensor_hourly_aggregates.organization_id is 'Whose sensor it is.';
comment on column iot.sensor_hourly_aggregates.sensor_id is 'The sensor.';
comment on column iot.sensor_hourly_aggregates.device_id is 'The device of that sensor.';
comment on column iot.sensor_hourly_aggregates.hour_start is 'Start of the hour, measurement time, UTC.';
comment on column iot.sensor_hourly_aggregates.reading_count is 'Readings measured in the hour.';
comment on column iot.sensor_hourly_aggregates.mean_value is 'Their mean, calibrated.';
comment on column iot.sensor_hourly_aggregates.min_value is 'The least of them.';
comment on column iot.sensor_hourly_aggregates.max_value is 'The greatest of them.';
comment on column iot.sensor_hourly_aggregates.sum_squared_deviations is
    'Sum of squared deviations from that mean.';
comment on column iot.sensor_hourly_aggregates.valid_count is 'Readings of quality 0.';
comment on column iot.sensor_hourly_aggregates.anomaly_count is 'Readings that the detector marked.';
create index idx_sensor_hourly_aggregates_sensor
    on iot.sensor_hourly_aggregates (sensor_id, hour_start);

create table iot.rollup_hours (
    organization_id uuid not null,
    hour_start timestamptz not null,
    sensor_id uuid not null,
    primary key (organization_id, hour_start, sensor_id),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.rollup_hours is 'Hours in which something came that no aggregate holds yet.';
comment on column iot.rollup_hours.organization_id is 'Whose sensor it is.';
comment on column iot.rollup_hours.hour_start is 'Start of the hour, measurement time, UTC.';
comment on column iot.rollup_hours.sensor_id is 'The sensor.';
create index idx_rollup_hours_hour on iot.rollup_hours (hour_start);

create table iot.rollup_progress (
    only_row boolean primary key default true check (only_row),
    received_through timestamptz not null,
    hours_through timestamptz not null,
    virtual_anchor timestamptz not null,
    wall_anchor timestamptz not null
);
comment on table iot.rollup_progress is 'Up to which reading touched hours were noted.';
comment on column iot.rollup_progress.only_row is 'True; the table has one row.';
comment on column iot.rollup_progress.received_through is
    'Of what was received before, every hour was noted.';
comment on column iot.rollup_progress.hours_through is
    'Hours before were made whole; only what comes late for them is looked for.';
comment on column iot.rollup_progress.virtual_anchor is
    'Of the clock''s law then; under another law received_at may have begun again.';
comment on column iot.rollup_progress.wall_anchor is 'Of the clock''s law then.';

select iot_private.protect(name)
from unnest(array['iot.sensor_hourly_aggregates', 'iot.rollup_hours']::regclass[]) as name;
select iot_private.limit_to_shared_groups('iot.sensor_hourly_aggregates');

grant select on iot.sensor_hourly_aggregates to iot_api;
grant select, insert, update on iot.sensor_hourly_aggregates, iot.rollup_progress to iot_worker;
grant select, insert, delete on iot.rollup_hours to iot_worker;

create view iot.sensor_daily_aggregates with (security_invoker = true) as
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
    from iot.sensor_hourly_aggregates as h
    window day as (
        partition by h.organization_id, h.sensor_id, date_trunc('day', h.hour_start, 'UTC')
    )
) as d
group by organization_id, sensor_id, device_id, day_start;
comment on view iot.sensor_daily_aggregates is 'Each sensor''s days, from its hours.';
comment on column iot.sensor_daily_aggregates.organization_id is 'Whose sensor it is.';
comment on column iot.sensor_daily_aggregates.sensor_id is 'The sensor.';
comment on column iot.sensor_daily_aggregates.device_id is 'The device of that sensor.';
comment on column iot.sensor_daily_aggregates.day_start is 'Start of the day, measurement time, UTC.';
comment on column iot.sensor_daily_aggregates.reading_count is 'Readings measured in the day.';
comment on column iot.sensor_daily_aggregates.mean_value is 'Their mean, calibrated.';
comment on column iot.sensor_daily_aggregates.min_value is 'The least of them.';
comment on column iot.sensor_daily_aggregates.max_value is 'The greatest of them.';
comment on column iot.sensor_daily_aggregates.sum_squared_deviations is
    'Sum of squared deviations from that mean.';
comment on column iot.sensor_daily_aggregates.valid_count is 'Readings of quality 0.';
comment on column iot.sensor_daily_aggregates.anomaly_count is 'Readings that the detector marked.';
grant select on iot.sensor_daily_aggregates to iot_worker, iot_api;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
