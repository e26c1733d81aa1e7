-- name: add_policy(organization_id, device_type, sensor_type, sensor_id, keep_days, action)^
-- A new policy.
insert into iot.data_retention_policies (
    organization_id, device_type, sensor_type, sensor_id, keep_days, action
)
values (
    :organization_id, :device_type, :sensor_type::smallint, :sensor_id::uuid, :keep_days, :action
)
returning *;

-- name: count_policies()$
-- How many policies the transaction's organization has; others who count wait.
select count(*) from iot.lock_organization(), iot.data_retention_policies
where organization_id = nullif(current_setting('app.organization_id', true), '')::uuid;

-- name: storage_days(organization_id)$
-- How long the organization's quota lets readings be kept.
select storage_days from iot.organization_quotas where organization_id = :organization_id;

-- name: find_policy(retention_policy_id)^
-- One policy, of those that are seen.
select * from iot.data_retention_policies where retention_policy_id = :retention_policy_id;

-- name: list_policies(descending, after_id, count)
-- The policies that are seen, in order of their ids, which is that of their making.
select *
from iot.data_retention_policies
where :after_id::uuid is null
   or case
       when :descending::boolean then retention_policy_id < :after_id
       else retention_policy_id > :after_id
   end
order by case when not :descending then retention_policy_id end, retention_policy_id desc
limit :count;

-- name: lock_policy(organization_id, retention_policy_id)^
-- A policy that is about to change.
select * from iot.data_retention_policies
where organization_id = :organization_id and retention_policy_id = :retention_policy_id
for update;

-- name: change_policy(organization_id, retention_policy_id, keep_days, action)^
-- What it says anew.
update iot.data_retention_policies
set keep_days = :keep_days, action = :action
where organization_id = :organization_id and retention_policy_id = :retention_policy_id
returning *;

-- name: delete_policy(organization_id, retention_policy_id)!
-- It holds no more.
delete from iot.data_retention_policies
where organization_id = :organization_id and retention_policy_id = :retention_policy_id;

-- name: has_archive_policies()$
-- Whether any organization has readings archived.
select exists (select from iot.data_retention_policies where action = 'archive');

-- name: state()^
-- The day, the policies in one word, and the shortest time that any keeps readings.
select today, state, keep_days from iot.retention_state();

-- name: spans(before, seen)
-- What is to be looked through.
select relation, span_from, span_to from iot.retention_spans(:before, :seen);

-- name: has_unfinished()$
-- Whether anything was begun and not ended.
select exists (
    select from iot.archive_manifests
    where manifest_state in ('planned', 'detached', 'written', 'verified')
) or exists (select from iot.retired_partitions);

-- name: survey(relation, span_from, span_to)
-- What it holds, by what is to become of it.
select * from iot.survey_readings(:relation, :span_from, :span_to);

-- name: by_hour(relation, span_from, span_to, organization_id, sensor_type, sensors)
-- How many readings each hour has.
select hour_at, reading_count
from iot.readings_by_hour(
    :relation, :span_from, :span_to, :organization_id, :sensor_type::smallint, :sensors::uuid[]
);

-- name: record_survey(relation, span_from, state)!
-- It was looked through.
insert into iot.retention_surveys (relation, span_from, surveyed_for)
values (:relation, :span_from, :state)
on conflict (relation, span_from) do update set surveyed_for = excluded.surveyed_for;

-- name: retire_partition(relation, span_from, span_to)$
-- Take a partition out of sensor_data.
select iot.retire_partition(:relation, :span_from, :span_to);

-- name: unsurveyed()
-- What was taken out and has no manifests yet.
select relation, span_from, span_to from iot.retired_partitions where not surveyed;

-- name: raise_floor(organization_id, sensor_type, sensors, before)$
-- Hours before it are not made anew from what is left; false: some are to be made yet.
select iot.raise_rollup_floor(
    :organization_id, :sensor_type::smallint, :sensors::uuid[], :before
);

-- name: put_back(relation, organization_id, sensor_type, sensors)$
-- What is not due after all is in sensor_data again.
select iot.put_back(:relation, :organization_id, :sensor_type::smallint, :sensors::uuid[]);

-- name: set_surveyed(relation)!
-- Its manifests are planned.
update iot.retired_partitions set surveyed = true where relation = :relation;

-- name: add_manifest(organization_id, action, state, relation, sensor_type, sensors, span_from, span_to)!
-- A part of the readings that leave.
insert into iot.archive_manifests (
    organization_id, action, manifest_state, relation, sensor_type, sensors, span_from, span_to,
    planned_at
)
values (
    :organization_id, :action, :state, :relation, :sensor_type::smallint, :sensors::uuid[],
    :span_from, :span_to, iot.now()
);

-- name: open_manifests()
-- What was begun and not ended, in order.
select * from iot.archive_manifests
where manifest_state in ('planned', 'detached', 'written', 'verified')
order by manifest_id;

-- name: set_written(manifest_id, file, reading_count, readings_hash, content_hash, duplicate_count, file_bytes)!
-- The file is there.
update iot.archive_manifests
set manifest_state = 'written', file = :file, reading_count = :reading_count,
    readings_hash = :readings_hash, content_hash = :content_hash,
    duplicate_count = :duplicate_count, file_bytes = :file_bytes, state_at = clock_timestamp()
where manifest_id = :manifest_id;

-- name: set_verified(manifest_id)!
-- The file was read back and is right.
update iot.archive_manifests
set manifest_state = 'verified', state_at = clock_timestamp()
where manifest_id = :manifest_id;

-- name: set_dropped(manifest_id)!
-- The readings are gone from the table.
update iot.archive_manifests
set manifest_state = 'dropped', state_at = clock_timestamp()
where manifest_id = :manifest_id;

-- name: set_planned(manifest_id, state)!
-- Its file is written anew: its readings are not those of before, or the file is not right.
update iot.archive_manifests
set manifest_state = :state, reading_count = null, readings_hash = null, content_hash = null,
    duplicate_count = 0, state_at = clock_timestamp()
where manifest_id = :manifest_id;

-- name: set_counted(manifest_id, reading_count, readings_hash)!
-- How many readings are deleted.
update iot.archive_manifests
set reading_count = :reading_count, readings_hash = :readings_hash
where manifest_id = :manifest_id;

-- name: add_expired(organization_id, sensors, counts, hashes)!
-- Readings that are deleted, by sensor; hashes null: of a sensitive sensor.
insert into iot.expired_readings (organization_id, sensor_id, reading_count, readings_hash)
select :organization_id, sensor_id, reading_count, readings_hash
from unnest(:sensors::uuid[], :counts::bigint[], :hashes::numeric[])
    as e (sensor_id, reading_count, readings_hash)
on conflict (organization_id, sensor_id) do update
set reading_count = iot.expired_readings.reading_count + excluded.reading_count,
    readings_hash = mod(
        iot.expired_readings.readings_hash + excluded.readings_hash, 18446744073709551616
    );

-- name: ready_to_drop()
-- Retired partitions whose files are all verified.
select r.relation
from iot.retired_partitions as r
where r.surveyed and not exists (
    select from iot.archive_manifests as m
    where m.relation = r.relation and m.action = 'archive' and m.manifest_state <> 'verified'
);

-- name: deletions_of(relation)
-- What of a retired partition is not archived.
select * from iot.archive_manifests
where relation = :relation and action = 'delete' and manifest_state = 'detached'
order by manifest_id;

-- name: drop_retired(relation)^
-- The table is no more; files and readings that are now in the archive alone.
select file_count, reading_count from iot.drop_retired(:relation);

-- name: drop_empty_spans(before)$
-- Months that hold nothing are no more.
select iot.drop_empty_spans(:before);

-- name: earlier_files(organization_id, sensor_type, span_from, span_to, manifest_id)
-- Files that may hold the same readings.
select file from iot.archive_manifests
where organization_id = :organization_id and sensor_type = :sensor_type::smallint
  and span_from < :span_to and span_to > :span_from and manifest_id <> :manifest_id
  and action = 'archive'
  and (manifest_state = 'dropped' or manifest_state = 'verified' and relation <> 'sensor_data');

-- name: lock_retention()$
-- Whether this session is the one that keeps readings in order; until it ends.
select pg_try_advisory_lock(hashtextextended('fleetstorm retention', 0));

-- name: readings(organization_id, sensor_type, span_from, span_to, sensors, is_sealed)
-- Readings of a manifest, no column null, so that each has the same width in binary form.
select
    sensor_id, device_id, measurement_timestamp, received_at, coalesce(measurement_value, 'NaN'),
    coalesce(raw_value, 'NaN'), coalesce(anomaly_score, 'NaN'), data_quality, is_anomaly,
    iot.metadata_hash(measurement_metadata), value_encrypted is not null
from iot.sensor_data
where organization_id = :organization_id
  and sensor_type = :sensor_type::smallint
  and measurement_timestamp >= :span_from
  and measurement_timestamp < :span_to
  and (:sensors::uuid[] is null or sensor_id = any (:sensors))
  and (:is_sealed::boolean or value_encrypted is null);

-- name: metadata(organization_id, sensor_type, span_from, span_to, sensors)
-- What devices said beside some of them.
select sensor_id, measurement_timestamp, measurement_metadata::text as metadata
from iot.sensor_data
where organization_id = :organization_id
  and sensor_type = :sensor_type::smallint
  and measurement_timestamp >= :span_from
  and measurement_timestamp < :span_to
  and (:sensors::uuid[] is null or sensor_id = any (:sensors))
  and value_encrypted is null
  and measurement_metadata is not null;

-- name: take(manifest_id)
-- Delete the readings of a manifest and give them.
select * from iot.take_readings(:manifest_id);

-- name: forget_days(before)$
-- Days that have no readings any more.
select iot.forget_days(:before);

-- name: wait_for_retention()!
-- Until nobody else keeps readings in order; to the end of the session.
select pg_advisory_lock(hashtextextended('fleetstorm retention', 0));

-- name: files_between(organization_id, since, until)
-- Files of an organization with readings of a span, the oldest first.
select * from iot.archive_manifests
where organization_id = :organization_id and action = 'archive' and manifest_state = 'dropped'
  and span_from < :until and span_to > :since and reading_count > 0
order by span_from, sensor_type, manifest_id;

-- name: has_organization(organization_id)$
-- Whether there is such an organization.
select exists (select from iot.organizations where organization_id = :organization_id);

-- name: make_restored()!
-- A place for the readings of a file, gone with the transaction.
create temporary table restored on commit drop as
select
    measurement_timestamp, received_at, measurement_value, raw_value, sensor_id, device_id,
    organization_id, anomaly_score, sensor_type, data_quality, is_anomaly, measurement_metadata
from iot.sensor_data
with no data;

-- name: bring_back()!
-- What of it is not in the table.
insert into iot.sensor_data (
    measurement_timestamp, received_at, measurement_value, raw_value, sensor_id, device_id,
    organization_id, anomaly_score, sensor_type, data_quality, is_anomaly, measurement_metadata
)
select
    measurement_timestamp, received_at, measurement_value, raw_value, sensor_id, device_id,
    organization_id, anomaly_score, sensor_type, data_quality, is_anomaly, measurement_metadata
from restored
on conflict do nothing;

-- name: brought_back(sensor_type, span_from, span_to)
-- The readings of the table that are those of the file.
select
    d.sensor_id, d.device_id, d.measurement_timestamp, d.received_at,
    coalesce(d.measurement_value, 'NaN'), coalesce(d.raw_value, 'NaN'),
    coalesce(d.anomaly_score, 'NaN'), d.data_quality, d.is_anomaly,
    iot.metadata_hash(d.measurement_metadata), d.value_encrypted is not null
from restored as r
join iot.sensor_data as d using (sensor_id, measurement_timestamp)
where d.sensor_type = :sensor_type::smallint
  and d.measurement_timestamp >= :span_from
  and d.measurement_timestamp < :span_to;

-- name: set_restored(manifest_id, kept)!
-- Its readings are in the table again, and stay there for a while.
update iot.archive_manifests
set manifest_state = 'restored', pinned_until = iot.now() + :kept::interval,
    state_at = clock_timestamp()
where manifest_id = :manifest_id;

-- name: note_restored_days()!
-- Of which days the organization has readings again.
insert into iot.organization_days (organization_id, day)
select distinct organization_id, (measurement_timestamp at time zone 'UTC')::date
from restored
on conflict do nothing;
