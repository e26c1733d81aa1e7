-- migrate:up

alter table iot.sensors add column sensitive boolean not null default false;
comment on column iot.sensors.sensitive is
    'Whether its readings are stored encrypted; as its type specified it, for ever.';
create index idx_sensors_sensitive on iot.sensors (sensor_id) where sensitive;

-- They get parameters, and create or replace would leave the old ones beside the new.
drop function if exists iot.process_sensor_data(
    uuid, timestamptz, double precision, jsonb, timestamptz
);
drop function if exists iot.store_reading(
    iot.sensors, timestamptz, timestamptz, double precision, double precision, smallint, boolean,
    double precision, jsonb
);

create table iot.key_rotations (
    key_id text primary key check (length(key_id) between 1 and 40),
    after_sensor_id uuid not null default '00000000-0000-0000-0000-000000000000',
    after_measured timestamptz not null default '-infinity',
    readings_changed bigint not null default 0,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
comment on table iot.key_rotations is
    'How far readings of sensitive sensors have been encrypted anew with a key; no key is kept.';
comment on column iot.key_rotations.key_id is 'Id of the key that they get.';
comment on column iot.key_rotations.after_sensor_id is
    'Sensor at which the pass stands; passes go in order of sensor and time.';
comment on column iot.key_rotations.after_measured is
    'Measurement time of that sensor through which it is done.';
comment on column iot.key_rotations.readings_changed is 'Encrypted anew so far, over all passes.';
comment on column iot.key_rotations.started_at is 'When the first pass began (wall clock).';
comment on column iot.key_rotations.finished_at is
    'When the last pass ended (wall clock); null while one is under way.';
grant select on iot.key_rotations to iot_worker;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
