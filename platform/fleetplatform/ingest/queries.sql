-- name: save_checkpoint(lane, detector, received_through)!
-- Through which received_at the saved state goes.
insert into iot.detector_checkpoints (lane, detector, received_through)
values (:lane, :detector, :received_through)
on conflict (lane) do update
set detector = excluded.detector, received_through = excluded.received_through;

-- name: load_checkpoint(lane)^
-- Whose state was saved, through which received_at; no checkpoint commits before the caller ends.
select detector, received_through from iot.detector_checkpoints where lane = :lane for share;

-- name: last_readings(measured_after)^
-- The newest reading of each sensor that measured since, as packed columns.
select
    coalesce(string_agg(uuid_send(sensor_id), ''), '') as sensors,
    coalesce(string_agg(timestamptz_send(last_measured), ''), '') as times,
    coalesce(string_agg(float8send(coalesce(last_value, 'nan')), ''), '') as values,
    coalesce(string_agg(float8send(coalesce(last_sent, 'nan')), ''), '') as sent,
    coalesce(string_agg(timestamptz_send(coalesce(flat_since, last_measured)), ''), '')
        as flat_since
from iot.last_readings(:measured_after);

-- name: take_lane(lane)$
-- The right to store for a lane until the session ends, if nobody has it.
select pg_try_advisory_lock(hashtext('iot.lane owner'), :lane);

-- name: hold_lane(lane)!
-- Until the transaction ends nobody else stores for the lane, not even one that was given up.
select pg_advisory_xact_lock(hashtext('iot.lane'), :lane);

-- name: has_readings_before(measured)$
-- Whether anything is stored that was measured before.
select iot.has_readings_before(:measured);
