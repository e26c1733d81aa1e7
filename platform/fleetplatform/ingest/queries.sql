-- name: save_sums(organizations, sensors, hours, counts, means, squares)!
-- The detector's sums, each hour of each sensor once.
insert into iot.sensor_hourly_sums (
    organization_id, sensor_id, hour_start, reading_count, mean_value, sum_squared_deviations
)
select *
from unnest(
    :organizations::uuid[], :sensors::uuid[], :hours::timestamptz[], :counts::bigint[],
    :means::float8[], :squares::float8[]
)
on conflict (organization_id, sensor_id, hour_start) do update
set reading_count = excluded.reading_count,
    mean_value = excluded.mean_value,
    sum_squared_deviations = excluded.sum_squared_deviations
where iot.sensor_hourly_sums.reading_count <> excluded.reading_count;

-- name: save_checkpoint(lane, received_through)!
-- Through which received_at the saved sums go.
insert into iot.detector_checkpoints (lane, received_through)
values (:lane, :received_through)
on conflict (lane) do update set received_through = excluded.received_through;

-- name: load_checkpoint(lane)$
-- Through which received_at the saved sums go; no checkpoint commits before the caller has ended.
select received_through from iot.detector_checkpoints where lane = :lane for share;

-- name: load_sums(since)
-- The saved sums of recent hours.
select sensor_id, hour_start, reading_count, mean_value, sum_squared_deviations
from iot.sensor_hourly_sums
where hour_start >= :since;

-- name: sums_since(received_after, measured_after)
-- Sums of the rows that no checkpoint holds.
select sensor_id, hour_start, reading_count, mean_value, sum_squared_deviations, last_received
from iot.sums_since(:received_after, :measured_after);

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
