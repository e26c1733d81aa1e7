-- name: sensor(sensor_id)^
-- A sensor that the tenant sees.
select
    organization_id, sensor_id, sensor_type, unit, sensitive,
    extract(epoch from sampling_interval)::float8 as interval_s
from iot.sensors
where sensor_id = :sensor_id;

-- name: last_reading(sensor_id, sensor_type, since, until)^
-- The newest reading of a span.
select measurement_timestamp, measurement_value, data_quality, is_anomaly, anomaly_score
from iot.sensor_data
where sensor_id = :sensor_id
  and sensor_type = :sensor_type
  and measurement_timestamp >= :since
  and measurement_timestamp < :until
  and measurement_value is not null
order by measurement_timestamp desc
limit 1;

-- name: readings(sensor_id, sensor_type, since, until, count)^
-- The first readings of a span as packed columns, in order of time.
select
    coalesce(string_agg(timestamptz_send(measurement_timestamp), ''), '') as times,
    coalesce(string_agg(float8send(measurement_value), ''), '') as values
from (
    select measurement_timestamp, measurement_value
    from iot.sensor_data
    where sensor_id = :sensor_id
      and sensor_type = :sensor_type
      and measurement_timestamp >= :since
      and measurement_timestamp < :until
      and measurement_value is not null
    order by measurement_timestamp
    limit :count
) as r;

-- name: buckets(sensor_id, sensor_type, since, until, width)
-- A span in buckets of one width, those in which anything was measured. As in the rollups, a value
-- whose square, summed, no float could hold is left out.
select
    date_bin(:width::interval, measurement_timestamp, :since) as bucket_start,
    count(*) as reading_count,
    avg(measurement_value) as mean,
    min(measurement_value) as minimum,
    max(measurement_value) as maximum,
    coalesce(stddev_samp(measurement_value), 0) as deviation,
    count(*) filter (where data_quality = 0) as valid_count,
    count(*) filter (where is_anomaly) as anomaly_count
from iot.sensor_data
where sensor_id = :sensor_id
  and sensor_type = :sensor_type
  and measurement_timestamp >= :since
  and measurement_timestamp < :until
  and abs(measurement_value) < 1e100
group by 1
order by 1;

-- name: gaps(sensor_id, sensor_type, since, until, longer_than, count)
-- Where a sensor was silent for longer than it should be; a span's ends count as its edges.
select measured as gap_start, next_measured as gap_end
from (
    select measured, lead(measured) over (order by measured) as next_measured
    from (
        select measurement_timestamp as measured
        from iot.sensor_data
        where sensor_id = :sensor_id
          and sensor_type = :sensor_type
          and measurement_timestamp >= :since
          and measurement_timestamp < :until
        union all
        select :since::timestamptz
        union all
        select :until::timestamptz
    ) as m
) as g
where next_measured - measured > :longer_than::interval
order by measured
limit :count;

-- name: top_anomalies(since, until, organization_id, device_id, group_id, sensor_type, count)
-- The readings furthest from what was usual, of the sensors that the tenant sees; a null filter takes
-- all.
select
    sensor_id, device_id, organization_id, sensor_type, measurement_timestamp, measurement_value,
    anomaly_score
from iot.sensor_data
where measurement_timestamp >= :since
  and measurement_timestamp < :until
  and (:organization_id::uuid is null or organization_id = :organization_id::uuid)
  and (:device_id::uuid is null or device_id = :device_id::uuid)
  and (:group_id::uuid is null or device_id in (
      select m.device_id from iot.device_group_members as m where m.group_id = :group_id::uuid
  ))
  and (:sensor_type::smallint is null or sensor_type = :sensor_type::smallint)
  and is_anomaly
  and measurement_value is not null
order by abs(anomaly_score) desc, measurement_timestamp
limit :count;

-- name: export(since, until, sensor_id, device_id, group_id, sensor_type, after_sensor, after_time, count)^
-- Readings in order of sensor and time after a place, as packed columns; a null filter takes all.
select
    count(*) as reading_count,
    coalesce(string_agg(uuid_send(sensor_id), ''), '') as sensors,
    coalesce(string_agg(uuid_send(device_id), ''), '') as devices,
    coalesce(string_agg(timestamptz_send(measurement_timestamp), ''), '') as times,
    coalesce(string_agg(timestamptz_send(received_at), ''), '') as received,
    coalesce(string_agg(float8send(coalesce(measurement_value, 'nan')), ''), '') as values,
    coalesce(string_agg(float8send(coalesce(raw_value, 'nan')), ''), '') as raw_values,
    coalesce(string_agg(int2send(data_quality), ''), '') as qualities,
    coalesce(string_agg(boolsend(is_anomaly), ''), '') as anomalies,
    coalesce(string_agg(float4send(coalesce(anomaly_score, 'nan')), ''), '') as scores
from (
    select *
    from iot.sensor_data
    where measurement_timestamp >= :since
      and measurement_timestamp < :until
      and (sensor_id, measurement_timestamp)
          > (:after_sensor::uuid, :after_time::timestamptz)
      and (:sensor_id::uuid is null or sensor_id = :sensor_id::uuid)
      and (:device_id::uuid is null or device_id = :device_id::uuid)
      and (:sensor_type::smallint is null or sensor_type = :sensor_type::smallint)
      and (:group_id::uuid is null or device_id in (
          select m.device_id from iot.device_group_members as m where m.group_id = :group_id::uuid
      ))
      and measurement_value is not null
    order by sensor_id, measurement_timestamp
    limit :count
) as r;

-- name: hours(sensor_id, since, until)
-- A sensor's closed hours, as the worker keeps them.
select
    hour_start as bucket_start, reading_count, mean_value as mean, min_value as minimum,
    max_value as maximum, valid_count, anomaly_count,
    coalesce(sqrt(sum_squared_deviations / nullif(reading_count - 1, 0)), 0) as deviation
from iot.sensor_hours
where sensor_id = :sensor_id and hour_start >= :since and hour_start < :until
order by hour_start;

-- name: days(sensor_id, since, until)
-- A sensor's days, from its closed hours.
select
    day_start as bucket_start, reading_count, mean_value as mean, min_value as minimum,
    max_value as maximum, valid_count, anomaly_count,
    coalesce(sqrt(sum_squared_deviations / nullif(reading_count - 1, 0)), 0) as deviation
from iot.sensor_daily_aggregates
where sensor_id = :sensor_id and day_start >= :since and day_start < :until
order by day_start;

-- name: quality_hours(sensor_id, sensor_type, since, until)
-- A sensor's hours, as the worker keeps those that are closed; and of the readings that are in the
-- table how many have each flag.
select
    hour_start, a.reading_count, a.valid_count, r.stored_count, r.range, r.rate, r.flat, r.gap,
    r.late, r.clock_skew, r.uncalibrated, r.stale
from (
    select hour_start, reading_count, valid_count
    from iot.sensor_hours
    where sensor_id = :sensor_id and hour_start >= :since and hour_start < :until
) as a
full join (
    select
        date_trunc('hour', measurement_timestamp, 'UTC') as hour_start,
        count(*) as stored_count,
        count(*) filter (where data_quality & 1 <> 0) as range,
        count(*) filter (where data_quality & 2 <> 0) as rate,
        count(*) filter (where data_quality & 4 <> 0) as flat,
        count(*) filter (where data_quality & 8 <> 0) as gap,
        count(*) filter (where data_quality & 16 <> 0) as late,
        count(*) filter (where data_quality & 32 <> 0) as clock_skew,
        count(*) filter (where data_quality & 64 <> 0) as uncalibrated,
        count(*) filter (where data_quality & 128 <> 0) as stale
    from iot.sensor_data
    where sensor_id = :sensor_id
      and sensor_type = :sensor_type
      and measurement_timestamp >= :since
      and measurement_timestamp < :until
    group by 1
) as r using (hour_start);

-- name: first_hour(sensor_id)$
-- The first hour in which a sensor measured.
select hour_start from iot.sensor_hours
where sensor_id = :sensor_id
order by hour_start
limit 1;

-- name: has_device(device_id)$
-- Whether the tenant sees a device.
select exists (select from iot.devices where device_id = :device_id);

-- name: judged_sensors(device_id)
-- The active sensors of a device whose values stand in clear, in the order of its type.
select
    sensor_id, name, sensor_type, extract(epoch from sampling_interval)::float8 as interval_s
from iot.sensors
where device_id = :device_id and sensor_status = 'active' and not sensitive
order by position, sensor_id;

-- name: flagged_readings(sensor_id, sensor_type, since, until, bits, count)
-- The first readings of a span that have one of some flags.
select measurement_timestamp, received_at, measurement_value, data_quality
from iot.sensor_data
where sensor_id = :sensor_id
  and sensor_type = :sensor_type
  and measurement_timestamp >= :since
  and measurement_timestamp < :until
  and data_quality & :bits::integer <> 0
  and measurement_value is not null
order by measurement_timestamp
limit :count;

-- name: processed_values(organization_id, sensor_id, processing_rule_id, since, until, after_time, after_id, count)
-- A page of what rules made of a sensor's readings, in order of time; a null rule takes all.
select processing_rule_id, measurement_timestamp, value, flag
from iot.processed_data
where organization_id = :organization_id
  and sensor_id = :sensor_id
  and measurement_timestamp >= :since
  and measurement_timestamp >= :after_time
  and measurement_timestamp < :until
  and (
      :after_id::uuid is null
      or (measurement_timestamp, processing_rule_id) > (:after_time, :after_id::uuid)
  )
  and (:processing_rule_id::uuid is null or processing_rule_id = :processing_rule_id::uuid)
order by measurement_timestamp, processing_rule_id
limit :count;

-- name: archived_files(since, until, sensor_type, sensor_id)
-- Files with readings of a span that are in no table, of those whose organizations are seen.
select file
from iot.archive_manifests
where action = 'archive'
  and manifest_state = 'dropped'
  and file is not null
  and span_from < :until
  and span_to > :since
  and (:sensor_type::smallint is null or sensor_type = :sensor_type::smallint)
  and (
      :sensor_id::uuid is null
      or (organization_id, sensor_type) in (
          select s.organization_id, s.sensor_type from iot.sensors as s
          where s.sensor_id = :sensor_id::uuid
      ) and (sensors is null or :sensor_id::uuid = any (sensors))
  )
order by span_from, sensor_type, manifest_id;

-- name: devices_seen(group_id)
-- The devices that are seen, all or those of a group.
select d.device_id
from iot.devices as d
where :group_id::uuid is null or d.device_id in (
    select m.device_id from iot.device_group_members as m where m.group_id = :group_id::uuid
);
