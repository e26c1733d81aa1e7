-- migrate:up

alter table iot.sensors
    add column sampling_interval interval not null default interval '10 seconds',
    add column rate_max double precision,
    add column flat_after interval;
-- Sensors that are there already get what the version of their type says that they were enrolled
-- with; no limit of rate or time was specified yet.
alter table iot.sensors disable trigger user;
update iot.sensors as s
set sampling_interval = make_interval(
    secs => (v.specification -> 'sensors' -> s.name ->> 'interval')::double precision
)
from iot.devices as d
join iot.device_type_versions as v
    on v.device_type_id = d.device_type_id and v.version = d.device_type_version
where d.organization_id = s.organization_id
  and d.device_id = s.device_id
  and (v.specification -> 'sensors' -> s.name ->> 'interval')::double precision
      between 1e-6 and 31622400;
alter table iot.sensors enable trigger user;
alter table iot.sensors
    alter column sampling_interval drop default,
    add constraint sensors_sampling_interval_check check (
        sampling_interval between interval '1 microsecond' and interval '366 days'
    ),
    add constraint sensors_rate_max_check check (rate_max between 1e-30 and 1e30),
    add constraint sensors_flat_after_check check (
        flat_after between interval '1 microsecond' and interval '31 days'
    );
comment on column iot.sensors.sampling_interval is
    'Time between two of its readings, as its type specified it.';
comment on column iot.sensors.rate_max is
    'The fastest that its calibrated value can change, in unit per second; null: not judged.';
comment on column iot.sensors.flat_after is
    'It is stuck when it sends one value for longer than this; null: not judged.';

-- It gets parameters, and create or replace would leave the old one beside the new.
drop function if exists iot.process_sensor_data(
    uuid, timestamptz, double precision, jsonb, timestamptz, text, text[], bytea[]
);
drop function if exists iot.last_measured(timestamptz);

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
