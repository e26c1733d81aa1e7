-- The six standard queries: what is asked of an IoT backend all day. One parameter of each name,
-- whatever the query needs of them; rows of other organizations are left out by the policies.

-- name: last_value(sensor_id, sensor_type, now)
-- What a sensor measured last, looked for in a month.
select measurement_timestamp, measurement_value, data_quality, is_anomaly
from iot.sensor_data
where sensor_id = :sensor_id
  and sensor_type = :sensor_type
  and measurement_timestamp >= :now::timestamptz - interval '31 days'
  and measurement_timestamp < :now
order by measurement_timestamp desc
limit 1;

-- name: last_hour(sensor_id, sensor_type, now)
-- The last hour of a sensor, every reading.
select measurement_timestamp, measurement_value, data_quality
from iot.sensor_data
where sensor_id = :sensor_id
  and sensor_type = :sensor_type
  and measurement_timestamp >= :now::timestamptz - interval '1 hour'
  and measurement_timestamp < :now
order by measurement_timestamp;

-- name: day_of_device(device_id, now)
-- A day of a device in buckets of five minutes, sensor by sensor.
select
    sensor_id,
    date_bin('5 minutes', measurement_timestamp, '2000-01-01T00:00:00Z') as bucket_start,
    avg(measurement_value) as mean,
    min(measurement_value) as minimum,
    max(measurement_value) as maximum
from iot.sensor_data
where device_id = :device_id
  and measurement_timestamp >= :now::timestamptz - interval '1 day'
  and measurement_timestamp < :now
group by 1, 2
order by 1, 2;

-- name: hours_of_type(sensor_type, now)
-- A day of all sensors of a type, hour by hour.
select
    date_bin('1 hour', measurement_timestamp, '2000-01-01T00:00:00Z') as hour_start,
    count(*) as reading_count,
    avg(measurement_value) as mean,
    stddev_samp(measurement_value) as deviation
from iot.sensor_data
where sensor_type = :sensor_type
  and measurement_timestamp >= :now::timestamptz - interval '1 day'
  and measurement_timestamp < :now
group by 1
order by 1;

-- name: top_anomalies(now)
-- The hundred worst anomalies of a day.
select sensor_id, measurement_timestamp, measurement_value, anomaly_score
from iot.sensor_data
where measurement_timestamp >= :now::timestamptz - interval '1 day'
  and measurement_timestamp < :now
  and is_anomaly
order by abs(anomaly_score) desc, measurement_timestamp
limit 100;

-- name: quality_counts(now)
-- How many readings of a day carry which flags.
select data_quality, count(*) as reading_count
from iot.sensor_data
where measurement_timestamp >= :now::timestamptz - interval '1 day'
  and measurement_timestamp < :now
group by 1
order by 1;
