-- migrate:up

create table iot.data_retention_policies (
    organization_id uuid not null references iot.organizations (organization_id),
    retention_policy_id uuid not null default uuidv7() unique,
    device_type text references iot.device_types (name),
    sensor_type smallint check (sensor_type > 0),
    sensor_id uuid,
    keep_days integer not null check (keep_days between 1 and 36500),
    action text not null check (action in ('archive', 'delete')),
    created_at timestamptz not null default clock_timestamp(),
    revision bigint not null default nextval('iot.registry_revision'),
    primary key (organization_id, retention_policy_id),
    unique nulls not distinct (organization_id, sensor_id, sensor_type, device_type),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.data_retention_policies is
    'How long readings stay in sensor_data and what then becomes of them; a null scope means any,'
    ' and the most specific policy of a sensor is the one that holds.';
comment on column iot.data_retention_policies.organization_id is 'Whose readings it speaks of.';
comment on column iot.data_retention_policies.retention_policy_id is 'Identity (UUIDv7).';
comment on column iot.data_retention_policies.device_type is
    'Name of the device type that it speaks of.';
comment on column iot.data_retention_policies.sensor_type is
    'Code of the sensor type that it speaks of.';
comment on column iot.data_retention_policies.sensor_id is 'The one sensor that it speaks of.';
comment on column iot.data_retention_policies.keep_days is
    'Whole days (UTC, virtual time) that readings stay in the table.';
comment on column iot.data_retention_policies.action is
    'archive: then they are written to Parquet files; delete: then they are gone.';
comment on column iot.data_retention_policies.created_at is 'When it was made (wall clock).';
comment on column iot.data_retention_policies.revision is 'Moves with each change.';

create table iot.archive_manifests (
    organization_id uuid not null references iot.organizations (organization_id),
    manifest_id uuid not null default uuidv7() unique,
    action text not null check (action in ('archive', 'delete')),
    manifest_state text not null check (
        manifest_state in ('planned', 'detached', 'written', 'verified', 'dropped', 'restored')
    ),
    relation text not null,
    sensor_type smallint not null check (sensor_type > 0),
    sensors uuid[],
    span_from timestamptz not null,
    span_to timestamptz not null,
    file text,
    reading_count bigint check (reading_count >= 0),
    readings_hash numeric(20) check (readings_hash >= 0 and readings_hash < 18446744073709551616),
    content_hash numeric(20) check (content_hash >= 0 and content_hash < 18446744073709551616),
    duplicate_count bigint not null default 0 check (duplicate_count >= 0),
    file_bytes bigint check (file_bytes >= 0),
    planned_at timestamptz not null,
    state_at timestamptz not null default clock_timestamp(),
    pinned_until timestamptz,
    primary key (organization_id, manifest_id),
    check (span_from < span_to),
    check ((manifest_state = 'restored') = (pinned_until is not null))
);
comment on table iot.archive_manifests is
    'Readings that leave sensor_data, one row for each file of them or, where they are deleted,'
    ' for each part: planned or detached → written → verified → dropped (→ restored).';
comment on column iot.archive_manifests.organization_id is 'Whose readings they are.';
comment on column iot.archive_manifests.manifest_id is 'Identity (UUIDv7).';
comment on column iot.archive_manifests.action is
    'archive: they are kept in the file; delete: they are counted and gone.';
comment on column iot.archive_manifests.manifest_state is
    'planned: chosen, still in sensor_data; detached: in a table taken out of it; written: in the'
    ' file too; verified: the file was read back and is right; dropped: in the file alone, or gone;'
    ' restored: in sensor_data again.';
comment on column iot.archive_manifests.relation is
    'Where the readings are taken from: sensor_data, or the table that was taken out of it.';
comment on column iot.archive_manifests.sensor_type is 'Code of the type of their sensors.';
comment on column iot.archive_manifests.sensors is
    'The sensors, where it is not all of this type in the organization.';
comment on column iot.archive_manifests.span_from is 'Measured from this time (virtual).';
comment on column iot.archive_manifests.span_to is 'Measured before this time (virtual).';
comment on column iot.archive_manifests.file is
    'Path of the file in the archive''s folder; null before it is written and for what is deleted.';
comment on column iot.archive_manifests.reading_count is 'Readings in the file, or deleted.';
comment on column iot.archive_manifests.readings_hash is
    'Sum modulo 2^64 of the hashes of sensor, time and value as it arrived; docs/retention.md.';
comment on column iot.archive_manifests.content_hash is
    'The same over every column of the readings; null for what is deleted.';
comment on column iot.archive_manifests.duplicate_count is
    'Readings that were left out of the file because an earlier file has them.';
comment on column iot.archive_manifests.file_bytes is 'Size of the file.';
comment on column iot.archive_manifests.planned_at is 'When they were chosen (virtual time).';
comment on column iot.archive_manifests.state_at is 'Since when it is so (wall clock).';
comment on column iot.archive_manifests.pinned_until is
    'Restored readings are not archived again before this (virtual time).';
create index idx_archive_manifests_open on iot.archive_manifests (relation)
    where manifest_state in ('planned', 'detached', 'written', 'verified');
create index idx_archive_manifests_span
    on iot.archive_manifests (organization_id, sensor_type, span_from, span_to);

create table iot.expired_readings (
    organization_id uuid not null,
    sensor_id uuid not null,
    reading_count bigint not null check (reading_count > 0),
    readings_hash numeric(20) check (readings_hash >= 0 and readings_hash < 18446744073709551616),
    primary key (organization_id, sensor_id),
    foreign key (organization_id, sensor_id) references iot.sensors (organization_id, sensor_id)
);
comment on table iot.expired_readings is
    'Readings that retention deleted, so that what was ever stored can be accounted for.';
comment on column iot.expired_readings.organization_id is 'Whose readings they were.';
comment on column iot.expired_readings.sensor_id is 'The sensor that measured them.';
comment on column iot.expired_readings.reading_count is 'How many were deleted.';
comment on column iot.expired_readings.readings_hash is
    'Sum modulo 2^64 of the hashes of sensor, time and value as it arrived; null for a sensitive'
    ' sensor, whose values would be found out by trying.';

create table iot.retired_partitions (
    relation text primary key,
    was text not null,
    span_from timestamptz not null,
    span_to timestamptz not null,
    surveyed boolean not null default false,
    retired_at timestamptz not null default clock_timestamp()
);
comment on table iot.retired_partitions is
    'Partitions that were taken out of sensor_data and are not archived to the end yet.';
comment on column iot.retired_partitions.relation is 'Name of the table, in the schema iot.';
comment on column iot.retired_partitions.was is 'Its name as a partition.';
comment on column iot.retired_partitions.span_from is 'It holds what was measured from this time.';
comment on column iot.retired_partitions.span_to is 'And before this time.';
comment on column iot.retired_partitions.surveyed is 'Whether its manifests are planned.';
comment on column iot.retired_partitions.retired_at is 'When it was taken out (wall clock).';

create table iot.retention_surveys (
    relation text not null,
    span_from timestamptz not null,
    surveyed_for text not null,
    primary key (relation, span_from)
);
comment on table iot.retention_surveys is
    'Which partitions were looked through for readings that are due, so that each is once a day'
    ' and after a change of policies.';
comment on column iot.retention_surveys.relation is 'The partition, or sensor_data.';
comment on column iot.retention_surveys.span_from is 'Beginning of the span that was looked at.';
comment on column iot.retention_surveys.surveyed_for is 'The day and the policies of that time.';

select iot_private.protect(name)
from unnest(array[
    'iot.data_retention_policies', 'iot.archive_manifests', 'iot.expired_readings'
]::regclass[]) as name;
select iot_private.audit(
    'iot.data_retention_policies', 'retention_policy', 'retention_policy_id'
);
create trigger next_revision before update on iot.data_retention_policies
    for each row execute function iot_private.next_revision();

grant select on iot.data_retention_policies, iot.archive_manifests, iot.expired_readings
    to iot_worker, iot_api;
grant insert, delete on iot.data_retention_policies to iot_api;
grant update (keep_days, action) on iot.data_retention_policies to iot_api;
grant insert on iot.archive_manifests to iot_worker;
grant update (
    manifest_state, file, reading_count, readings_hash, content_hash, duplicate_count, file_bytes,
    state_at
) on iot.archive_manifests to iot_worker;
grant insert, update on iot.expired_readings to iot_worker;
grant select on iot.retired_partitions to iot_worker;
grant update (surveyed) on iot.retired_partitions to iot_worker;
grant select, insert, update on iot.retention_surveys to iot_worker;

-- migrate:down

do $$ begin raise exception 'migrations go forward only'; end $$;
