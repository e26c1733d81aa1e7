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

-- name: load_sums(since)
-- The saved sums of recent hours.
select sensor_id, hour_start, reading_count, mean_value, sum_squared_deviations
from iot.sensor_hourly_sums
where hour_start >= :since;

-- name: sums_since(received_after, measured_after)
-- Sums of the rows that no checkpoint holds.
select sensor_id, hour_start, reading_count, mean_value, sum_squared_deviations, last_received
from iot.sums_since(:received_after, :measured_after);

-- name: save_profiles(organizations, sensors, profiles)!
-- What is known of each sensor.
insert into iot.seasonal_profiles (organization_id, sensor_id, profile)
select * from unnest(:organizations::uuid[], :sensors::uuid[], :profiles::bytea[])
on conflict (organization_id, sensor_id) do update set profile = excluded.profile;

-- name: save_hours(organizations, sensors, sums, width)!
-- The present hour of each sensor; of the sums, `width` belong to one.
insert into iot.seasonal_hours (organization_id, sensor_id, hour_sums)
select
    organization_id, sensor_id,
    (:sums::float8[])[(position - 1) * :width::int + 1 : position * :width::int]
from unnest(:organizations::uuid[], :sensors::uuid[]) with ordinality
    as one (organization_id, sensor_id, position)
on conflict (organization_id, sensor_id) do update set hour_sums = excluded.hour_sums;

-- name: load_profiles(bytes, width)
-- What is known of each sensor, where it was written in the form of this version.
select h.sensor_id, p.profile, h.hour_sums
from iot.seasonal_hours as h
join iot.seasonal_profiles as p using (organization_id, sensor_id)
where octet_length(p.profile) = :bytes::int and cardinality(h.hour_sums) = :width::int;

-- name: forget_profiles()!
-- Nothing is known of any sensor.
delete from iot.seasonal_profiles;

-- name: forget_hours()!
-- And no hour has begun.
delete from iot.seasonal_hours;

-- name: readings_since(received_after, measured_after)
-- The readings that no checkpoint holds, in the order in which a detector met them.
select sensor_id, measured_us, measurement_value, received_us
from iot.readings_since(:received_after, :measured_after);
