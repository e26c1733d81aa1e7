-- migrate:up

alter table iot.detector_checkpoints
    add column detector text not null default 'three_sigma' check (detector <> '');
comment on column iot.detector_checkpoints.detector is
    'Which detector''s state it is of; another one believes nothing that was saved.';
alter table iot.detector_checkpoints alter column detector drop default;

create table iot.seasonal_profiles (
    organization_id uuid not null,
    sensor_id uuid not null,
    profile bytea not null,
    primary key (organization_id, sensor_id),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.seasonal_profiles is
    'What the detector seasonal knows of each sensor, as of its last whole hour.';
comment on column iot.seasonal_profiles.organization_id is 'Whose sensor it is.';
comment on column iot.seasonal_profiles.sensor_id is 'The sensor.';
comment on column iot.seasonal_profiles.profile is
    'Level, trend, shape and scale, as little-endian numbers; another length is of another version.';

create table iot.seasonal_hours (
    organization_id uuid not null,
    sensor_id uuid not null,
    hour_sums double precision[] not null,
    primary key (organization_id, sensor_id),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.seasonal_hours is
    'The forecast and the sums of each sensor''s present hour, of the detector seasonal.';
comment on column iot.seasonal_hours.organization_id is 'Whose sensor it is.';
comment on column iot.seasonal_hours.sensor_id is 'The sensor.';
comment on column iot.seasonal_hours.hour_sums is
    'When the hour began (hours since 1970), the forecast, and the sums of what came since.';

select iot_private.protect('iot.seasonal_profiles');
select iot_private.protect('iot.seasonal_hours');

grant select, insert, update, delete on iot.seasonal_profiles, iot.seasonal_hours to iot_ingest;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
