-- name: named_things(device_id, group_id, geofence_id, organization_id)^
-- Which of these are seen.
select
    exists (select from iot.devices where device_id = :device_id::uuid),
    exists (select from iot.device_groups where group_id = :group_id::uuid),
    exists (
        select from iot.geofences where geofence_id = :geofence_id::uuid and deleted_at is null
    ),
    exists (select from iot.organizations where organization_id = :organization_id::uuid);

-- name: devices_in_area(souths, wests, norths, easts, latitude, longitude, radius_m, count)
-- The devices in boxes or in a circle.
select device_id
from iot.places_within(
    :souths::float8[], :wests::float8[], :norths::float8[], :easts::float8[], :latitude::float8,
    :longitude::float8, :radius_m::float8, 1, null, null, :count::bigint
);

-- name: devices_in_geofence(geofence_id, count)
-- The devices in a geofence.
select device_id from iot.devices_in_geofence(:geofence_id::uuid, :count::bigint);

-- name: aggregate(by, width, since, until, organization_id, device_id, group_id, device_type, sensor_type, devices, hours_max, count)
-- Closed hours of many sensors put together; a null filter takes all. hours_read: how many hours were
-- looked at; where that is more than hours_max, some were not.
with chosen as materialized (
    select
        s.organization_id, s.sensor_id, s.sensor_type, s.unit,
        -- Never null, so that it can be hashed.
        case :by::text
            when 'device' then d.device_id
            when 'group' then g.group_id
            when 'device_type' then d.device_type_id
            when 'organization' then d.organization_id
            else '00000000-0000-0000-0000-000000000000'
        end as key_id,
        case :by::text
            when 'device' then d.serial_number
            when 'group' then g.name
            when 'device_type' then t.name
            when 'organization' then o.name
        end as key_name
    from iot.devices as d
    join iot.sensors as s on s.organization_id = d.organization_id and s.device_id = d.device_id
    join iot.device_types as t on t.device_type_id = d.device_type_id
    join iot.organizations as o on o.organization_id = d.organization_id
    left join iot.device_group_members as m
        on :by::text = 'group'
        and m.organization_id = d.organization_id
        and m.device_id = d.device_id
        and (:group_id::uuid is null or m.group_id = :group_id::uuid)
    left join iot.device_groups as g
        on g.organization_id = m.organization_id and g.group_id = m.group_id
    where (:by::text <> 'group' or g.group_id is not null)
      and not s.sensitive
      and (:organization_id::uuid is null or d.organization_id = :organization_id::uuid)
      and (:device_id::uuid is null or d.device_id = :device_id::uuid)
      and (:group_id::uuid is null or d.device_id in (
          select n.device_id from iot.device_group_members as n where n.group_id = :group_id::uuid
      ))
      and (:device_type::text is null or t.name = :device_type::text)
      and (:sensor_type::smallint is null or s.sensor_type = :sensor_type::smallint)
      and (:devices::uuid[] is null or d.device_id = any (:devices::uuid[]))
), hours as (
    select
        c.key_id, c.key_name, c.sensor_type, c.unit, h.hour_start, h.reading_count, h.mean_value,
        h.min_value, h.max_value, h.sum_squared_deviations, h.valid_count, h.anomaly_count
    from chosen as c
    join iot.sensor_hours as h
        on h.organization_id = c.organization_id and h.sensor_id = c.sensor_id
    where h.hour_start >= :since::timestamptz and h.hour_start < :until::timestamptz
    limit :hours_max::bigint + 1
), buckets as (
    select
        key_id, key_name, sensor_type, unit,
        date_trunc(:width::text, hour_start, 'UTC') as bucket_start,
        count(*) as hour_count,
        sum(reading_count)::bigint as reading_count,
        iot.combined(
            array[reading_count, reading_count * mean_value, sum_squared_deviations]
        ) as moments,
        min(min_value) as minimum,
        max(max_value) as maximum,
        sum(valid_count)::bigint as valid_count,
        sum(anomaly_count)::bigint as anomaly_count
    from hours
    group by 1, 2, 3, 4, 5
)
select
    (sum(hour_count) over ())::bigint as hours_read,
    nullif(key_id, '00000000-0000-0000-0000-000000000000') as key_id,
    key_name, sensor_type, unit, bucket_start, reading_count,
    moments[2] / moments[1] as mean, minimum, maximum, valid_count, anomaly_count,
    coalesce(sqrt(moments[3] / nullif(reading_count - 1, 0)), 0) as deviation
from buckets
order by key_name, buckets.key_id, sensor_type, unit, bucket_start
limit :count::bigint;

-- name: has_group(group_id)$
-- Whether a group is seen.
select exists (select from iot.device_groups where group_id = :group_id);

-- name: last_of_group(group_id, since, until, after_id, count)
-- The newest reading in a span of each sensor of a group's devices, in order of the sensor's id.
select
    s.sensor_id, s.organization_id, s.device_id, d.serial_number, s.name, s.sensor_type, s.unit,
    r.measurement_timestamp, r.measurement_value, r.data_quality, r.is_anomaly, r.anomaly_score
from (
    select one.*
    from iot.sensors as one
    where one.device_id in (
          select m.device_id from iot.device_group_members as m where m.group_id = :group_id::uuid
      )
      and not one.sensitive
      and one.sensor_id > :after_id::uuid
    order by one.sensor_id
    limit :count
) as s
join iot.devices as d on d.organization_id = s.organization_id and d.device_id = s.device_id
left join lateral (
    select
        l.measurement_timestamp, l.measurement_value, l.data_quality, l.is_anomaly, l.anomaly_score
    from iot.sensor_data as l
    where l.sensor_id = s.sensor_id
      and l.sensor_type = s.sensor_type
      and l.measurement_timestamp >= :since::timestamptz
      and l.measurement_timestamp < :until::timestamptz
      and l.measurement_value is not null
    order by l.measurement_timestamp desc
    limit 1
) as r on true
order by s.sensor_id;
