-- migrate:up

create table iot.sensor_hourly_sums (
    organization_id uuid not null,
    sensor_id uuid not null,
    hour_start timestamptz not null,
    reading_count bigint not null check (reading_count > 0),
    mean_value double precision not null,
    sum_squared_deviations double precision not null,
    primary key (organization_id, sensor_id, hour_start),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.sensor_hourly_sums is
    'The detector''s sums of each sensor''s hours, as of the last checkpoint.';
comment on column iot.sensor_hourly_sums.organization_id is 'Whose sensor it is.';
comment on column iot.sensor_hourly_sums.sensor_id is 'The sensor.';
comment on column iot.sensor_hourly_sums.hour_start is 'Start of the hour, by measurement time.';
comment on column iot.sensor_hourly_sums.reading_count is 'Readings measured in the hour.';
comment on column iot.sensor_hourly_sums.mean_value is 'Their mean, calibrated.';
comment on column iot.sensor_hourly_sums.sum_squared_deviations is
    'Sum of squared deviations from that mean.';
create index idx_sensor_hourly_sums_hour on iot.sensor_hourly_sums (hour_start);

create table iot.detector_checkpoints (
    lane integer primary key check (lane >= 0),
    received_through timestamptz not null
);
comment on table iot.detector_checkpoints is 'How far each lane''s saved sums go.';
comment on column iot.detector_checkpoints.lane is 'The lane; all of a device are in one.';
comment on column iot.detector_checkpoints.received_through is
    'The sums hold the rows whose received_at is not later than this.';

select iot_private.protect('iot.sensor_hourly_sums');

grant select, insert, update on iot.sensor_hourly_sums, iot.detector_checkpoints to iot_ingest;
grant select on iot.sensor_hourly_sums, iot.detector_checkpoints to iot_worker;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
