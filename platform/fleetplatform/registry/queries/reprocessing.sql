-- name: add_reprocessing(organization_id, sensor_id, measured_from, measured_to)^
-- A job for an organization's own sensor; no row where it has no such sensor.
insert into iot.reprocessing_jobs (
    organization_id, sensor_id, device_id, measured_from, measured_to, actor
)
select
    s.organization_id, s.sensor_id, s.device_id, :measured_from::timestamptz,
    :measured_to::timestamptz,
    coalesce(nullif(current_setting('app.actor', true), ''), 'database:' || session_user)
from iot.sensors as s
where s.organization_id = :organization_id and s.sensor_id = :sensor_id
returning
    job_id, organization_id, sensor_id, measured_from, measured_to, job_state, rows_done,
    rows_changed, actor, created_at, finished_at;

-- name: count_reprocessing(organization_id)$
-- How many jobs of an organization are not at their end.
select count(*) from iot.reprocessing_jobs
where organization_id = :organization_id and finished_at is null;

-- name: read_reprocessing(job_id)^
-- One job.
select
    job_id, organization_id, sensor_id, measured_from, measured_to, job_state, rows_done,
    rows_changed, actor, created_at, finished_at
from iot.reprocessing_jobs
where job_id = :job_id;

-- name: take_reprocessing()^
-- The job whose turn it is; nobody else takes it until the transaction ends.
select organization_id, job_id, sensor_id, measured_from, measured_to, done_through
from iot.reprocessing_jobs
where finished_at is null and (settle_from is null or settle_from <= clock_timestamp())
order by turn_at
limit 1
for update skip locked;

-- name: advance_reprocessing(organization_id, job_id, done_through, seen, changed, ended, settle)!
-- A piece is done; `ended`: it was the last of its pass.
update iot.reprocessing_jobs
set job_state = case
        when not :ended then case when settle_from is null then 'running' else 'settling' end
        when settle_from is null then 'settling'
        else 'done'
    end,
    done_through = case when :ended then null else :done_through::timestamptz end,
    rows_done = rows_done + case when settle_from is null then :seen::bigint else 0 end,
    rows_changed = rows_changed + :changed::bigint,
    failures = 0,
    settle_from = case
        when :ended then coalesce(settle_from, created_at + :settle::interval)
        else settle_from
    end,
    turn_at = clock_timestamp(),
    finished_at = case when :ended::boolean and settle_from is not null then clock_timestamp() end
where organization_id = :organization_id and job_id = :job_id;

-- name: fail_reprocessing(organization_id, job_id, failures_max)!
-- A piece failed: the job waits for its next turn, or is given up after so many in a row.
update iot.reprocessing_jobs
set failures = failures + 1,
    turn_at = clock_timestamp(),
    job_state = case when failures + 1 >= :failures_max::integer then 'failed' else job_state end,
    finished_at = case when failures + 1 >= :failures_max::integer then clock_timestamp() end
where organization_id = :organization_id and job_id = :job_id;
