-- name: plan_for_values()!
-- Until the transaction ends, plan each query for what it asks: most filters are null.
select set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: all_seen(sensor_id, device_id, group_id)$
-- Whether the caller sees each of these that is not null.
select
    (:sensor_id::uuid is null or exists (
        select from iot.sensors where sensor_id = :sensor_id::uuid
    ))
    and (:device_id::uuid is null or exists (
        select from iot.devices where device_id = :device_id::uuid
    ))
    and (:group_id::uuid is null or exists (
        select from iot.device_groups where group_id = :group_id::uuid
    ));

-- name: arrived(after_received, after_sensor, after_measured, since, until, sensor_id, device_id, group_id, sensor_type, flagged, anomalies, count)
-- Readings that came in after a place, in order of arrival; a null filter takes all.
select
    organization_id, device_id, sensor_id, sensor_type, measurement_timestamp, received_at,
    measurement_value, data_quality, is_anomaly, anomaly_score
from iot.sensor_data
where received_at >= :after_received
  and (received_at, sensor_id, measurement_timestamp)
      > (:after_received, :after_sensor::uuid, :after_measured::timestamptz)
  and measurement_timestamp >= :since
  and measurement_timestamp < :until
  and (:sensor_id::uuid is null or sensor_id = :sensor_id::uuid)
  and (:device_id::uuid is null or device_id = :device_id::uuid)
  and (:sensor_type::smallint is null or sensor_type = :sensor_type::smallint)
  and (:group_id::uuid is null or device_id in (
      select m.device_id from iot.device_group_members as m where m.group_id = :group_id::uuid
  ))
  and (not :flagged::boolean or data_quality <> 0)
  and (not :anomalies::boolean or is_anomaly)
  and measurement_value is not null
order by received_at, sensor_id, measurement_timestamp
limit :count;

-- name: passed(after_received, after_sensor, after_measured, since, until, sensor_id, device_id, group_id, sensor_type, flagged, anomalies)^
-- How many there are after a place, and when the newest of them came in.
select count(*) as reading_count, max(received_at) as newest
from iot.sensor_data
where received_at >= :after_received
  and (received_at, sensor_id, measurement_timestamp)
      > (:after_received, :after_sensor::uuid, :after_measured::timestamptz)
  and measurement_timestamp >= :since
  and measurement_timestamp < :until
  and (:sensor_id::uuid is null or sensor_id = :sensor_id::uuid)
  and (:device_id::uuid is null or device_id = :device_id::uuid)
  and (:sensor_type::smallint is null or sensor_type = :sensor_type::smallint)
  and (:group_id::uuid is null or device_id in (
      select m.device_id from iot.device_group_members as m where m.group_id = :group_id::uuid
  ))
  and (not :flagged::boolean or data_quality <> 0)
  and (not :anomalies::boolean or is_anomaly)
  and measurement_value is not null;
