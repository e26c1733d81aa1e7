-- migrate:up

alter table iot.sensors
    drop constraint sensors_sensor_status_check,
    add constraint sensors_sensor_status_check
        check (sensor_status in ('active', 'inactive', 'faulty', 'maintenance'));
comment on column iot.sensors.sensor_status is
    'active, inactive, faulty or maintenance; readings of an active one only are taken.';

alter table iot.sensor_calibrations
    drop constraint sensor_calibrations_multiplier_check,
    add constraint sensor_calibrations_multiplier_check check (
        multiplier > '-infinity' and multiplier < 'infinity'
        and (multiplier <> 0 or higher_factors is not null)
    ),
    add column higher_factors double precision[] check (
        array_ndims(higher_factors) = 1
        and array_lower(higher_factors, 1) = 1
        and cardinality(higher_factors) between 1 and 4
        and array_position(higher_factors, null) is null
        and '-infinity' < all (higher_factors)
        and 'infinity' > all (higher_factors)
        and higher_factors[cardinality(higher_factors)] <> 0
    ),
    add column due_at timestamptz check (isfinite(due_at) and due_at > valid_from),
    add column performed_by text check (length(performed_by) between 1 and 200),
    add column note text check (length(note) between 1 and 2000),
    add column actor text check (length(actor) between 1 and 200);
comment on table iot.sensor_calibrations is
    'The history of calibrations: calibrated = offset_value + multiplier × raw'
    ' + higher_factors[1] × raw² + …; rows are added and never changed.';
comment on column iot.sensor_calibrations.multiplier is
    'Factor of the raw value; zero only in a polynomial.';
comment on column iot.sensor_calibrations.offset_value is 'Added, in the sensor''s unit.';
comment on column iot.sensor_calibrations.higher_factors is
    'Factors of raw² to raw⁵, the last not zero; null: a straight line.';
comment on column iot.sensor_calibrations.due_at is
    'Measurement time from which the next calibration is overdue; null: never.';
comment on column iot.sensor_calibrations.performed_by is 'Who did the work, in words; null: not said.';
comment on column iot.sensor_calibrations.note is 'What else there is to say; null: nothing.';
comment on column iot.sensor_calibrations.actor is
    'Who entered it: api_key:<id>, user:<id> or database:<role>; null: before this was kept.';
create index idx_sensor_calibrations_due
    on iot.sensor_calibrations (organization_id, due_at, calibration_id) where due_at is not null;

create table iot.maintenance_records (
    organization_id uuid not null,
    maintenance_id uuid not null default uuidv7(),
    device_id uuid not null,
    kind text not null check (length(kind) between 1 and 100),
    performed_at timestamptz not null check (isfinite(performed_at)),
    performed_by text check (length(performed_by) between 1 and 200),
    note text check (length(note) between 1 and 2000),
    next_due_at timestamptz check (isfinite(next_due_at) and next_due_at > performed_at),
    actor text not null check (length(actor) between 1 and 200),
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, maintenance_id),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id)
);
comment on table iot.maintenance_records is 'Work that was done on devices, and when it is due again.';
comment on column iot.maintenance_records.organization_id is 'Whose device it is.';
comment on column iot.maintenance_records.maintenance_id is 'Identity (UUIDv7).';
comment on column iot.maintenance_records.device_id is 'The device that was worked on.';
comment on column iot.maintenance_records.kind is
    'What was done, such as cleaning; the newest record of a kind says when that is due.';
comment on column iot.maintenance_records.performed_at is 'When it was done (virtual time).';
comment on column iot.maintenance_records.performed_by is 'Who did it, in words; null: not said.';
comment on column iot.maintenance_records.note is 'What else there is to say; null: nothing.';
comment on column iot.maintenance_records.next_due_at is
    'When it is due again (virtual time); null: not at all.';
comment on column iot.maintenance_records.actor is
    'Who entered it: api_key:<id>, user:<id> or database:<role>.';
comment on column iot.maintenance_records.created_at is 'When it was entered (wall clock).';
comment on column iot.maintenance_records.revision is 'Moves with each change.';
create index idx_maintenance_records_device
    on iot.maintenance_records (organization_id, device_id, kind, performed_at);
create index idx_maintenance_records_performed
    on iot.maintenance_records (organization_id, performed_at, maintenance_id);
create index idx_maintenance_records_due
    on iot.maintenance_records (organization_id, next_due_at, maintenance_id)
    where next_due_at is not null;

create table iot.reprocessing_jobs (
    organization_id uuid not null,
    job_id uuid not null default uuidv7(),
    sensor_id uuid not null,
    device_id uuid not null,
    measured_from timestamptz not null check (isfinite(measured_from)),
    measured_to timestamptz not null check (isfinite(measured_to)),
    job_state text not null default 'waiting'
        check (job_state in ('waiting', 'running', 'settling', 'done', 'failed')),
    done_through timestamptz,
    rows_done bigint not null default 0 check (rows_done >= 0),
    rows_changed bigint not null default 0 check (rows_changed >= 0),
    failures integer not null default 0 check (failures >= 0),
    settle_from timestamptz,
    actor text not null check (length(actor) between 1 and 200),
    created_at timestamptz not null default clock_timestamp(),
    turn_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    primary key (organization_id, job_id),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id),
    foreign key (organization_id, device_id) references iot.devices (organization_id, device_id),
    check (measured_from < measured_to),
    check ((finished_at is not null) = (job_state in ('done', 'failed')))
);
comment on table iot.reprocessing_jobs is
    'Stored readings to be calibrated again: one sensor, one interval, done in pieces.';
comment on column iot.reprocessing_jobs.organization_id is 'Whose sensor it is.';
comment on column iot.reprocessing_jobs.job_id is 'Identity (UUIDv7).';
comment on column iot.reprocessing_jobs.sensor_id is 'The sensor.';
comment on column iot.reprocessing_jobs.device_id is 'The device of that sensor.';
comment on column iot.reprocessing_jobs.measured_from is 'First measurement time of the interval.';
comment on column iot.reprocessing_jobs.measured_to is 'The interval ends before this time.';
comment on column iot.reprocessing_jobs.job_state is
    'waiting; running: the first pass; settling: the second pass, over what was taken meanwhile;'
    ' done; failed.';
comment on column iot.reprocessing_jobs.done_through is
    'The present pass is done up to this measurement time; null: it has not begun.';
comment on column iot.reprocessing_jobs.rows_done is 'Readings looked at in the first pass.';
comment on column iot.reprocessing_jobs.rows_changed is 'Readings changed, in both passes.';
comment on column iot.reprocessing_jobs.failures is 'Pieces that failed, one after the other.';
comment on column iot.reprocessing_jobs.settle_from is
    'When the second pass may begin (wall clock); null before the first has ended.';
comment on column iot.reprocessing_jobs.actor is
    'Who asked: api_key:<id>, user:<id> or database:<role>.';
comment on column iot.reprocessing_jobs.created_at is 'When it was asked for (wall clock).';
comment on column iot.reprocessing_jobs.turn_at is
    'When its last piece was done (wall clock): jobs take turns.';
comment on column iot.reprocessing_jobs.finished_at is
    'When it was done or given up (wall clock); null before.';
create index idx_reprocessing_jobs_turn on iot.reprocessing_jobs (turn_at)
    where finished_at is null;

select iot_private.protect(name)
from unnest(array['iot.maintenance_records', 'iot.reprocessing_jobs']::regclass[]) as name;
select iot_private.limit_to_shared_groups(name)
from unnest(array['iot.maintenance_records', 'iot.reprocessing_jobs']::regclass[]) as name;

create trigger next_revision before update on iot.maintenance_records
    for each row execute function iot_private.next_revision();

grant select on iot.maintenance_records, iot.reprocessing_jobs to iot_worker, iot_api;
grant insert on iot.maintenance_records, iot.reprocessing_jobs to iot_api;
grant update (kind, performed_at, performed_by, note, next_due_at)
    on iot.maintenance_records to iot_api;
grant update (
    job_state, done_through, rows_done, rows_changed, failures, settle_from, turn_at, finished_at
) on iot.reprocessing_jobs to iot_worker;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
